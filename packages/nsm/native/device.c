#include "device.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"
#include "glibc.h"
#include "ioctl.h"

#define LINGER 50000 // nanoseconds

struct nsm_device {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  unsigned references;
  int fd; // -1 once closed
  bool closing;
  bool has_thread;
  unsigned pending; // accepted calls that have not ended
  struct nsm_call *first, *last;
  void *sink; // NULL when nobody listens
  nsm_deliver deliver;
  nsm_drained drained;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Responses hold randomness and may hold keys.
static void wipe(void *bytes, size_t length) {
  memset(bytes, 0, length);
  __asm__ volatile("" : : "r"(bytes) : "memory"); // keeps the memset
}

void nsm_call_free(struct nsm_call *call) {
  if (call->response != NULL) wipe(call->response, call->response_length);
  wipe(call->request, call->request_length);
  free(call->response);
  free(call);
}

struct nsm_device *nsm_device_open(const char *path, int *error) {
  struct nsm_device *device = calloc(1, sizeof *device);
  if (device == NULL) {
    *error = ENOMEM;
    return NULL;
  }
  device->fd = nsm_open(path);
  if (device->fd < 0) {
    *error = -device->fd;
    free(device);
    return NULL;
  }
  pthread_mutex_init(&device->lock, NULL); // with default attributes these two only assign
  pthread_cond_init(&device->wake, NULL);
  device->references = 1;
  return device;
}

void nsm_device_retain(struct nsm_device *device) {
  pthread_mutex_lock(&device->lock);
  device->references++;
  pthread_mutex_unlock(&device->lock);
}

void nsm_device_release(struct nsm_device *device) {
  pthread_mutex_lock(&device->lock);
  bool last = --device->references == 0;
  pthread_mutex_unlock(&device->lock);
  if (!last) return;
  if (device->fd >= 0) close(device->fd);
  pthread_cond_destroy(&device->wake);
  pthread_mutex_destroy(&device->lock);
  free(device);
}

void nsm_device_attach(struct nsm_device *device, void *sink, nsm_deliver deliver, nsm_drained drained) {
  pthread_mutex_lock(&device->lock);
  device->sink = sink;
  device->deliver = deliver;
  device->drained = drained;
  pthread_mutex_unlock(&device->lock);
}

void *nsm_device_detach(struct nsm_device *device) {
  pthread_mutex_lock(&device->lock);
  void *sink = device->sink;
  device->sink = NULL;
  device->closing = true;
  while (device->first != NULL) {
    struct nsm_call *call = device->first;
    device->first = call->next;
    device->pending--;
    nsm_call_free(call);
  }
  device->last = NULL;
  pthread_cond_signal(&device->wake);
  pthread_mutex_unlock(&device->lock);
  return sink;
}

// With the lock held: what is left to do once the device is closing and no call runs or waits.
static void drain(struct nsm_device *device) {
  if (!device->closing || device->pending != 0) return;
  if (device->fd >= 0) close(device->fd);
  device->fd = -1;
  if (device->sink != NULL) device->drained(device->sink);
  device->sink = NULL;
}

static void run(struct nsm_device *device, struct nsm_call *call, uint8_t *response) {
  if (now() >= call->deadline) {
    call->error = ECANCELED; // which the driver never gives
    return;
  }
  size_t length = 0;
  call->error = nsm_exchange(device->fd, call->request, call->request_length, response, &length);
  if (call->error != 0) return;
  call->response = malloc(length == 0 ? 1 : length);
  if (call->response == NULL) {
    call->error = ENOMEM;
  } else {
    memcpy(call->response, response, length);
    call->response_length = length;
  }
  wipe(response, length);
}

// With the lock held, after a call. To wake a sleeping thread costs more than everything else in a call, and commands
// come in rows (getRandom of many bytes, the checks at start), so the thread looks for the next one before it sleeps.
static void linger(struct nsm_device *device) {
  uint64_t until = now() + LINGER;
  while (device->first == NULL && !device->closing && now() < until) {
    pthread_mutex_unlock(&device->lock);
    (void)sched_yield(); // on a machine of one core whoever submits comes first
    pthread_mutex_lock(&device->lock);
  }
}

static void *serve(void *argument) {
  struct nsm_device *device = argument;
  uint8_t response[NSM_RESPONSE_MAX];
  prctl(PR_SET_NAME, "nsm");
  pthread_mutex_lock(&device->lock);
  for (;;) {
    while (device->first == NULL && !device->closing) pthread_cond_wait(&device->wake, &device->lock);
    struct nsm_call *call = device->first;
    if (call == NULL) break;
    device->first = call->next;
    if (device->first == NULL) device->last = NULL;
    pthread_mutex_unlock(&device->lock);
    run(device, call, response);
    pthread_mutex_lock(&device->lock);
    if (device->sink == NULL || !device->deliver(device->sink, call)) {
      device->sink = NULL;
      nsm_call_free(call);
    }
    device->pending--;
    linger(device);
  }
  drain(device);
  device->has_thread = false;
  pthread_mutex_unlock(&device->lock);
  nsm_device_release(device);
  return NULL;
}

// Signals stay with the threads of the process that expect them. Detached: nothing ever waits for this thread, so one
// that is stuck in the kernel does not hold up the exit of the process.
static int start_thread(struct nsm_device *device) {
  sigset_t all, before;
  pthread_t thread;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, serve, device);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) return error;
  pthread_detach(thread);
  device->has_thread = true;
  device->references++;
  return 0;
}

int nsm_device_submit(struct nsm_device *device, double id, const uint8_t *request, size_t length,
                      uint64_t timeout_ms) {
  struct nsm_call *call = calloc(1, sizeof *call + length);
  if (call == NULL) return ENOMEM;
  call->id = id;
  call->deadline = now() + timeout_ms * 1000000u;
  call->request_length = length;
  if (length != 0) memcpy(call->request, request, length);

  pthread_mutex_lock(&device->lock);
  int error = device->closing ? EBADF : device->pending >= NSM_QUEUE_MAX ? EBUSY : 0;
  if (error == 0 && !device->has_thread) error = start_thread(device);
  if (error == 0) {
    if (device->last == NULL) device->first = call;
    else device->last->next = call;
    device->last = call;
    device->pending++;
    pthread_cond_signal(&device->wake);
  }
  pthread_mutex_unlock(&device->lock);
  if (error != 0) nsm_call_free(call);
  return error;
}

int nsm_device_exchange(struct nsm_device *device, const uint8_t *request, size_t length, uint8_t *response,
                        size_t *response_length) {
  pthread_mutex_lock(&device->lock);
  int error = device->closing ? EBADF : 0;
  if (error == 0) device->pending++;
  pthread_mutex_unlock(&device->lock);
  if (error != 0) return error;
  error = nsm_exchange(device->fd, request, length, response, response_length);
  pthread_mutex_lock(&device->lock);
  device->pending--;
  drain(device);
  pthread_mutex_unlock(&device->lock);
  return error;
}

void nsm_device_close(struct nsm_device *device) {
  pthread_mutex_lock(&device->lock);
  device->closing = true;
  drain(device);
  pthread_cond_signal(&device->wake);
  pthread_mutex_unlock(&device->lock);
}
