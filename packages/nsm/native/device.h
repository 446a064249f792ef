// An open device with its queue and its thread. Knows nothing of JavaScript.
//
// An ioctl on the NSM cannot be cancelled, so everything that a running call needs belongs to the device and not to
// whoever asked: the descriptor is closed, and the memory freed, by the last of those who hold a reference.
#ifndef ENCLAVEJS_NSM_DEVICE_H
#define ENCLAVEJS_NSM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How many calls may wait; each holds its request, 4 KiB at most.
#define NSM_QUEUE_MAX 1024

struct nsm_call {
  struct nsm_call *next;
  double id;
  uint64_t deadline; // CLOCK_MONOTONIC, nanoseconds; a call that has not begun by then does not begin
  int error;         // 0 or errno
  uint8_t *response; // malloc'ed when error is 0
  size_t response_length;
  size_t request_length;
  uint8_t request[];
};

struct nsm_device;

// Takes a finished call (and then owns it) unless it returns false. Called on the device's thread with its lock held.
typedef bool (*nsm_deliver)(void *sink, struct nsm_call *call);
// Says that no call follows. Called with the lock held, on either thread, once at most.
typedef void (*nsm_drained)(void *sink);

// Returns NULL and sets *error on failure. The caller holds one reference.
struct nsm_device *nsm_device_open(const char *path, int *error);
void nsm_device_retain(struct nsm_device *device);
void nsm_device_release(struct nsm_device *device);

void nsm_device_attach(struct nsm_device *device, void *sink, nsm_deliver deliver, nsm_drained drained);
// After this the sink is never touched again, and calls that have not begun are dropped. Returns the sink, or NULL when
// it was told already that no call follows.
void *nsm_device_detach(struct nsm_device *device);

// Queues a copy of the request. Returns 0 or errno: EBADF closed, EBUSY queue full, ENOMEM, EAGAIN no thread.
int nsm_device_submit(struct nsm_device *device, double id, const uint8_t *request, size_t length, uint64_t timeout_ms);
// Runs the request on the calling thread.
int nsm_device_exchange(struct nsm_device *device, const uint8_t *request, size_t length, uint8_t *response,
                        size_t *response_length);
// Refuses further calls. The descriptor is closed now, or when the last accepted call has ended.
void nsm_device_close(struct nsm_device *device);

void nsm_call_free(struct nsm_call *call);

#endif
