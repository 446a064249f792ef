#include "loose.h"

#include <sys/socket.h>
#include <unistd.h>

#define COOKIE 57 // SO_COOKIE, Linux 4.12

// 0 for what is no socket, or not open.
static uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

int loose_keep(struct loose *loose, int fd) {
  if (fd < 0) return fd;
  size_t at = loose->next++ % LOOSE_MOST;
  loose->sockets[at].fd = fd;
  loose->sockets[at].cookie = cookie_of(fd);
  return fd;
}

void loose_forget(struct loose *loose, int fd) {
  for (size_t at = 0; at < LOOSE_MOST; at++) {
    if (loose->sockets[at].fd == fd) loose->sockets[at].cookie = 0;
  }
}

void loose_close(struct loose *loose) {
  for (size_t at = 0; at < LOOSE_MOST; at++) {
    uint64_t cookie = loose->sockets[at].cookie;
    if (cookie != 0 && cookie_of(loose->sockets[at].fd) == cookie) (void)close(loose->sockets[at].fd);
    loose->sockets[at].cookie = 0;
  }
}
