// An AF_UNIX socket that node:net accepts, whose descriptor then becomes another socket (dup3). libuv registers a
// descriptor with epoll when its loop next polls, so in the tick that made the handle nobody has looked at it yet.
#ifndef ENCLAVEJS_VSOCK_PLACEHOLDER_H
#define ENCLAVEJS_VSOCK_PLACEHOLDER_H

#include <stdbool.h>

// Descriptor or negative errno. A listener's is bound to a name that the kernel picks.
int placeholder_open(bool listener);

// Puts the socket `fd` under the number `placeholder`. Refuses (-EBADF) a number that is not an AF_UNIX stream socket.
int placeholder_become(int placeholder, int fd);

#endif
