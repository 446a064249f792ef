// AF_VSOCK that is none: AF_UNIX sockets with names of the form "enclavejs-SPACE-CID-PORT" in the abstract namespace, in
// the place of native/socket.c. SPACE is the environment's ENCLAVEJS_FAKE_VSOCK, so that runs do not meet. Like the
// kernel's, a connect is under way first and decided later. CIDs say how it goes:
//
//   1 after a millisecond   2 at once   9N after N*N*10 milliseconds, with N above 0   80 never: ETIMEDOUT
//   70 fails with the errno that the port names   60 reads beyond an array, for a sanitizer to see
#define _GNU_SOURCE // SOCK_CLOEXEC
#include "socket.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCAL 1
#define ANY 0xffffffffu
#define SOCKETS 8192

static struct {
  struct vsock_address to;
  uint32_t timeout;
  double due;
} pending[SOCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t next_port;

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static socklen_t name_of(struct vsock_address at, struct sockaddr_un *name) {
  const char *space = getenv("ENCLAVEJS_FAKE_VSOCK");
  memset(name, 0, sizeof *name);
  name->sun_family = AF_UNIX;
  int length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "enclavejs-%s-%u-%u", space != NULL ? space : "",
                        at.cid, at.port);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int bind_name(int fd, struct vsock_address at) {
  struct sockaddr_un name;
  if (at.port != ANY) return bind(fd, (struct sockaddr *)&name, name_of(at, &name)) != 0 ? -errno : 0;
  for (;;) {
    (void)pthread_mutex_lock(&lock);
    if (next_port == 0) next_port = 1024 + (uint32_t)getpid() * 10000u + (uint32_t)(uintptr_t)&name % 1000;
    at.port = next_port++;
    (void)pthread_mutex_unlock(&lock);
    if (bind(fd, (struct sockaddr *)&name, name_of(at, &name)) == 0) return 0;
    if (errno != EADDRINUSE) return -errno;
  }
}

int vsock_socket(uint64_t buffer_size, uint32_t connect_timeout) {
  (void)buffer_size;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (fd >= SOCKETS) {
    (void)close(fd);
    return -EMFILE;
  }
  (void)pthread_mutex_lock(&lock);
  pending[fd].timeout = connect_timeout;
  (void)pthread_mutex_unlock(&lock);
  return fd;
}

static int decide(int fd, struct vsock_address to) {
  struct sockaddr_un name;
  if (to.cid == 70) return -(int)to.port;
  if (to.cid == 80) return -ETIMEDOUT;
  to.cid = LOCAL;
  if (connect(fd, (struct sockaddr *)&name, name_of(to, &name)) == 0) return 0;
  // Nobody, and a full backlog.
  return errno == ECONNREFUSED || errno == EAGAIN ? -ECONNRESET : -errno;
}

int vsock_connect(int fd, struct vsock_address to, bool to_host) {
  (void)to_host;
  if (to.cid > 99) return -ENODEV;
  if (to.cid == 60) return (int)pending[SOCKETS + to.port].timeout;
  int error = bind_name(fd, (struct vsock_address){.cid = LOCAL, .port = ANY});
  if (error != 0) return error;
  if (to.cid == 2) return decide(fd, to);
  (void)pthread_mutex_lock(&lock);
  uint32_t step = to.cid > 90 ? to.cid - 90 : 0;
  double delay = to.cid == 80 ? (double)pending[fd].timeout : step > 0 ? (double)(step * step * 10) : 1;
  pending[fd].to = to;
  pending[fd].due = now() + delay;
  (void)pthread_mutex_unlock(&lock);
  return -EINPROGRESS;
}

// An unconnected AF_UNIX socket is writable, so that poll asks again and again.
int vsock_connect_result(int fd) {
  (void)pthread_mutex_lock(&lock);
  struct vsock_address to = pending[fd].to;
  double due = pending[fd].due;
  (void)pthread_mutex_unlock(&lock);
  return now() < due ? -EINPROGRESS : decide(fd, to);
}

int vsock_bind_listen(int fd, struct vsock_address at, int backlog) {
  if (at.cid != ANY && at.cid != LOCAL) return -EADDRNOTAVAIL;
  if (at.port < 10) return -EACCES;
  at.cid = LOCAL;
  int error = bind_name(fd, at);
  if (error != 0) return error;
  return listen(fd, backlog) != 0 ? -errno : 0;
}

int vsock_name(int fd, bool peer, struct vsock_address *address) {
  struct sockaddr_un name;
  socklen_t length = sizeof name - 1;
  memset(&name, 0, sizeof name);
  int result = peer ? getpeername(fd, (struct sockaddr *)&name, &length) : getsockname(fd, (struct sockaddr *)&name, &length);
  if (result != 0) return -errno;
  const char *port = length > sizeof name.sun_family ? strrchr(name.sun_path + 1, '-') : NULL;
  if (port == NULL) return -EAFNOSUPPORT;
  address->cid = LOCAL;
  address->port = (uint32_t)strtoul(port + 1, NULL, 10);
  return 0;
}

int vsock_local_cid(uint32_t *cid) {
  *cid = LOCAL;
  return 0;
}
