// vsock(7), linux/vm_sockets.h.
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define TO_HOST 0x01       // VMADDR_FLAG_TO_HOST, Linux 5.11
#define CONNECT_TIMEOUT 6  // SO_VM_SOCKETS_CONNECT_TIMEOUT, a struct timeval on 64-bit machines

static int set_buffer(int fd, uint64_t size) {
  uint64_t least = 0;
  socklen_t length = sizeof least;
  // Above the maximum and below the minimum the kernel clamps without a word, so those move first.
  if (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof size) != 0) return -errno;
  if (getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MIN_SIZE, &least, &length) != 0) return -errno;
  if (size < least && setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MIN_SIZE, &size, sizeof size) != 0) return -errno;
  return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size) != 0 ? -errno : 0;
}

int vsock_socket(uint64_t buffer_size, uint32_t connect_timeout) {
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = buffer_size != 0 ? set_buffer(fd, buffer_size) : 0;
  if (error == 0 && connect_timeout != 0) {
    struct timeval time = {.tv_sec = connect_timeout / 1000, .tv_usec = connect_timeout % 1000 * 1000};
    if (setsockopt(fd, AF_VSOCK, CONNECT_TIMEOUT, &time, sizeof time) != 0) error = -errno;
  }
  if (error == 0) return fd;
  (void)close(fd);
  return error;
}

int vsock_connect(int fd, struct vsock_address to, bool to_host) {
  struct sockaddr_vm address;
  memset(&address, 0, sizeof address);
  address.svm_family = AF_VSOCK;
  address.svm_cid = to.cid;
  address.svm_port = to.port;
  if (to_host) ((unsigned char *)&address)[12] = TO_HOST; // svm_flags, which older headers do not name
  while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

int vsock_connect_result(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  struct vsock_address peer;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  if (error != 0) return -error;
  return vsock_name(fd, true, &peer) == -ENOTCONN ? -EINPROGRESS : 0;
}

int vsock_bind_listen(int fd, struct vsock_address at, int backlog) {
  struct sockaddr_vm address;
  memset(&address, 0, sizeof address);
  address.svm_family = AF_VSOCK;
  address.svm_cid = at.cid;
  address.svm_port = at.port;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -errno;
  return listen(fd, backlog) != 0 ? -errno : 0;
}

int vsock_name(int fd, bool peer, struct vsock_address *address) {
  struct sockaddr_vm name;
  socklen_t length = sizeof name;
  memset(&name, 0, sizeof name);
  int result = peer ? getpeername(fd, (struct sockaddr *)&name, &length) : getsockname(fd, (struct sockaddr *)&name, &length);
  if (result != 0) return -errno;
  if (length < sizeof name || name.svm_family != AF_VSOCK) return -EAFNOSUPPORT;
  address->cid = name.svm_cid;
  address->port = name.svm_port;
  return 0;
}

int vsock_local_cid(uint32_t *cid) {
  int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int error = ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cid) < 0 ? -errno : 0;
  (void)close(fd);
  return error;
}
