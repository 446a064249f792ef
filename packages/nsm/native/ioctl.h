// The door to the kernel: opening the device, and its one ioctl (Linux include/uapi/linux/nsm.h). Tests and benchmarks
// link another implementation of this header (test/native/fake.c) into an addon of their own.
#ifndef ENCLAVEJS_NSM_IOCTL_H
#define ENCLAVEJS_NSM_IOCTL_H

#include <stdint.h>

#define NSM_REQUEST_MAX 0x1000
#define NSM_RESPONSE_MAX 0x3000

struct nsm_iovec {
  uint64_t address;
  uint64_t length;
};

struct nsm_raw {
  struct nsm_iovec request;
  struct nsm_iovec response; // length: capacity going in, bytes written coming out
};

_Static_assert(sizeof(struct nsm_raw) == 32, "struct nsm_raw has the kernel's layout");

// Returns a descriptor, or -errno.
int nsm_open(const char *path);

// Returns 0 or errno. May sleep uninterruptibly, 120 seconds in the kernel's own estimate.
int nsm_ioctl(int fd, struct nsm_raw *raw);

// Credits `length` bytes to the kernel's entropy pool (random(4), RNDADDENTROPY). Returns 0 or errno.
int nsm_add_entropy(const char *path, const uint8_t *bytes, uint32_t length);

#endif
