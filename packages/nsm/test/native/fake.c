// A device that is no device: what tests and benchmarks link in the place of native/ioctl.c. The path says how it
// behaves, "fake:NAME" or "fake:NAME=ARGUMENT".
#include "ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 4096

enum { INSTANT, SLOW, TRUNCATED, OVERSIZED, MALFORMED, EMPTY, TRAILING, WRONG_TYPE, ERRNO, EINTR_FIRST, ERROR, RANDOM, SLOW_FIRST, OVERRUN };

static const char *const names[] = {"instant",  "slow",  "truncated", "oversized", "malformed", "empty",
                                    "trailing", "wrong-type", "errno", "eintr",    "error",     "random",  "slow-first", "overrun"};

static struct fake {
  int behaviour;
  int number;
  char text[64];
  int running;
  int calls;
} fakes[DEVICES];

int nsm_open(const char *path) {
  if (strncmp(path, "fake:", 5) != 0) return -ENOENT;
  const char *name = path + 5;
  size_t length = strcspn(name, "=");
  const char *argument = name[length] == '=' ? name + length + 1 : "0";
  for (size_t behaviour = 0; behaviour < sizeof names / sizeof *names; behaviour++) {
    if (strlen(names[behaviour]) != length || strncmp(names[behaviour], name, length) != 0) continue;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (fd >= DEVICES) {
      close(fd);
      return -EMFILE;
    }
    struct fake *fake = &fakes[fd];
    memset(fake, 0, sizeof *fake);
    fake->behaviour = (int)behaviour;
    fake->number = atoi(argument);
    snprintf(fake->text, sizeof fake->text, "%s", argument);
    return fd;
  }
  return -(strcmp(name, "open=13") == 0 ? EACCES : EINVAL);
}

static bool asks(const struct nsm_raw *raw, const char *command) {
  const char *request = (const char *)(uintptr_t)raw->request.address;
  size_t length = strlen(command);
  for (size_t at = 0; at < 3 && at + length <= raw->request.length; at++) {
    if (memcmp(request + at, command, length) == 0) return true;
  }
  return false;
}

static void put(struct nsm_raw *raw, const void *bytes, size_t length) {
  memcpy((uint8_t *)(uintptr_t)raw->response.address + raw->response.length, bytes, length);
  raw->response.length += length;
}

static void put_text(struct nsm_raw *raw, const char *text) {
  size_t length = strlen(text);
  uint8_t head[2] = {0x78, (uint8_t)length};
  if (length < 24) head[0] = (uint8_t)(0x60 + length);
  put(raw, head, length < 24 ? 1 : 2);
  put(raw, text, length);
}

static void put_bytes(struct nsm_raw *raw, uint8_t fill, size_t length) {
  uint8_t head[3] = {0x59, (uint8_t)(length >> 8), (uint8_t)length};
  uint8_t small[2] = {0x58, (uint8_t)length};
  uint8_t tiny = (uint8_t)(0x40 + length);
  if (length < 24) put(raw, &tiny, 1);
  else if (length < 256) put(raw, small, 2);
  else put(raw, head, 3);
  memset((uint8_t *)(uintptr_t)raw->response.address + raw->response.length, fill, length);
  raw->response.length += length;
}

// What a device in good order answers, with constant values.
static void answer(struct nsm_raw *raw, size_t random) {
  static const uint8_t ints[] = {0, 1, 2, 3, 24};
  if (asks(raw, "GetRandom")) {
    put(raw, "\xa1", 1), put_text(raw, "GetRandom"), put(raw, "\xa1", 1), put_text(raw, "random");
    put_bytes(raw, 0x5a, random);
  } else if (asks(raw, "DescribePCR") || asks(raw, "ExtendPCR")) {
    bool describe = asks(raw, "DescribePCR");
    put(raw, "\xa1", 1), put_text(raw, describe ? "DescribePCR" : "ExtendPCR");
    put(raw, describe ? "\xa2" : "\xa1", 1);
    if (describe) put_text(raw, "lock"), put(raw, "\xf5", 1);
    put_text(raw, "data"), put_bytes(raw, 0x11, 48);
  } else if (asks(raw, "LockPCRs")) {
    put_text(raw, "LockPCRs");
  } else if (asks(raw, "LockPCR")) {
    put_text(raw, "LockPCR");
  } else if (asks(raw, "Attestation")) {
    put(raw, "\xa1", 1), put_text(raw, "Attestation"), put(raw, "\xa1", 1), put_text(raw, "document");
    put_bytes(raw, 0x84, 4500);
  } else if (asks(raw, "DescribeNSM")) {
    put(raw, "\xa1", 1), put_text(raw, "DescribeNSM"), put(raw, "\xa7", 1);
    put_text(raw, "version_major"), put(raw, ints + 1, 1);
    put_text(raw, "version_minor"), put(raw, ints + 2, 1);
    put_text(raw, "version_patch"), put(raw, ints + 3, 1);
    put_text(raw, "module_id"), put_text(raw, "i-1234567890abcdef0-enc0123456789abcdef");
    put_text(raw, "max_pcrs"), put(raw, "\x18\x20", 2);
    put_text(raw, "locked_pcrs"), put(raw, "\x83", 1), put(raw, ints, 3);
    put_text(raw, "digest"), put_text(raw, "SHA384");
  } else {
    put(raw, "\xa1", 1), put_text(raw, "Error"), put_text(raw, "InvalidOperation");
  }
}

static int behave(int fd, struct fake *fake, struct nsm_raw *raw, int call) {
  struct timespec rest = {fake->number / 1000, fake->number % 1000 * 1000000L};
  raw->response.length = 0;
  switch (fake->behaviour) {
  case SLOW:
  case SLOW_FIRST:
    if (fake->behaviour == SLOW_FIRST && call > 0) break;
    while (nanosleep(&rest, &rest) != 0) {} // like the kernel's own wait, deaf to signals
    if (fcntl(fd, F_GETFD) < 0) return EBADF; // somebody closed it under the call
    break;
  case TRUNCATED: // a document of 0x4000 bytes, cut by the driver
    put(raw, "\xa1", 1), put_text(raw, "Attestation"), put(raw, "\xa1", 1), put_text(raw, "document");
    put(raw, "\x59\x40\x00", 3);
    memset((uint8_t *)(uintptr_t)raw->response.address + raw->response.length, 0x84,
           NSM_RESPONSE_MAX - raw->response.length);
    raw->response.length = NSM_RESPONSE_MAX;
    return 0;
  case OVERSIZED:
    raw->response.length = NSM_RESPONSE_MAX + 1;
    return 0;
  case MALFORMED:
    put(raw, "\xa1\xff\xff", 3);
    return 0;
  case EMPTY:
    return 0;
  case OVERRUN: // a defect on purpose: shows that a sanitizer is awake
    ((volatile uint8_t *)(uintptr_t)raw->response.address)[NSM_RESPONSE_MAX] = 1;
    break;
  case WRONG_TYPE: // well-formed, and the answer to no question asked here
    put_text(raw, "Attestation");
    return 0;
  case ERRNO:
    return fake->number;
  case EINTR_FIRST:
    if (call < fake->number) return EINTR;
    break;
  case ERROR:
    put(raw, "\xa1", 1), put_text(raw, "Error"), put_text(raw, fake->text);
    return 0;
  }
  answer(raw, fake->behaviour == RANDOM ? (size_t)fake->number : 256);
  if (fake->behaviour == TRAILING) put(raw, "\0", 1);
  return 0;
}

int nsm_ioctl(int fd, struct nsm_raw *raw) {
  if (fd < 0 || fd >= DEVICES) return EBADF;
  if (raw->response.length != NSM_RESPONSE_MAX) return EINVAL;
  if (raw->request.length == 0 || raw->request.length > NSM_REQUEST_MAX) return EMSGSIZE;
  struct fake *fake = &fakes[fd];
  // One by the device's thread, one by requestSync.
  int running = __atomic_add_fetch(&fake->running, 1, __ATOMIC_SEQ_CST);
  int error = running > 2 ? EDEADLK : behave(fd, fake, raw, __atomic_fetch_add(&fake->calls, 1, __ATOMIC_SEQ_CST));
  __atomic_sub_fetch(&fake->running, 1, __ATOMIC_SEQ_CST);
  return error;
}

int nsm_add_entropy(const char *path, const uint8_t *bytes, uint32_t length) {
  (void)bytes;
  (void)length;
  return strncmp(path, "fake:errno=", 11) == 0 ? atoi(path + 11) : 0;
}
