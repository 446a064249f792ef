#define _GNU_SOURCE // dup3
#include "placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int placeholder_open(bool listener) {
  int pair[2];
  if (!listener) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return -errno;
    (void)close(pair[1]);
    return pair[0];
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (bind(fd, (struct sockaddr *)&name, sizeof name.sun_family) == 0) return fd; // unix(7): autobind
  int error = -errno;
  (void)close(fd);
  return error;
}

int placeholder_become(int placeholder, int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(placeholder, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return -errno;
  if (domain != AF_UNIX) return -EBADF;
  while (dup3(fd, placeholder, O_CLOEXEC) < 0) {
    if (errno != EINTR && errno != EBUSY) return -errno;
  }
  return 0;
}
