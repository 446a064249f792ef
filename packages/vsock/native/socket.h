// AF_VSOCK system calls. Every function returns a descriptor or 0, or a negative errno. Tests put another family in the
// place of socket.c, so that the rest of the addon runs where nothing answers on AF_VSOCK.
#ifndef ENCLAVEJS_VSOCK_SOCKET_H
#define ENCLAVEJS_VSOCK_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

struct vsock_address {
  uint32_t cid;
  uint32_t port;
};

// A non-blocking stream socket. Sizes of 0 keep the kernel's.
int vsock_socket(uint64_t buffer_size, uint32_t connect_timeout);

// 0 when connected at once, -EINPROGRESS when the result comes by poll.
int vsock_connect(int fd, struct vsock_address to, bool to_host);

// The result of a connect that poll has announced: 0, -EINPROGRESS when it is not there yet, or the failure.
int vsock_connect_result(int fd);

int vsock_bind_listen(int fd, struct vsock_address at, int backlog);

int vsock_name(int fd, bool peer, struct vsock_address *address);

int vsock_local_cid(uint32_t *cid);

#endif
