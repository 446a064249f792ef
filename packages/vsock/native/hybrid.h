// A connection of hybrid vsock: an AF_UNIX stream socket to a virtual machine monitor.
#ifndef ENCLAVEJS_VSOCK_HYBRID_H
#define ENCLAVEJS_VSOCK_HYBRID_H

// Before close(2): ends both directions, and takes what has arrived and nobody will read. A Unix socket that is closed with
// bytes unread gives its peer ECONNRESET in the place of an end, and vhost-device-vsock, which expects an end, then forgets
// the connection without a word to its guest. 0, or -EBADF for what is not an AF_UNIX socket.
int hybrid_empty(int fd);

#endif
