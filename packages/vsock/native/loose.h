// Descriptors that no handle owns yet. A worker thread can be terminated between any two statements, also between the one
// that opens a descriptor and the one that hands it on: its environment then closes what is still here.
#ifndef ENCLAVEJS_VSOCK_LOOSE_H
#define ENCLAVEJS_VSOCK_LOOSE_H

#include <stddef.h>
#include <stdint.h>

// One call of JavaScript has two at once; what a failed one left behind is overwritten in time.
#define LOOSE_MOST 16

struct loose {
  struct {
    int fd;
    uint64_t cookie; // of the socket (SO_COOKIE), because the number can be another's by now
  } sockets[LOOSE_MOST];
  size_t next;
};

// Keeps `fd`, and returns it. Negative ones are passed through.
int loose_keep(struct loose *loose, int fd);

void loose_forget(struct loose *loose, int fd);

// Closes what is kept and still the same socket.
void loose_close(struct loose *loose);

#endif
