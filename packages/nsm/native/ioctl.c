#include "ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)

_Static_assert(NSM_IOCTL_RAW == 0xC0200A00, "the ioctl number of Linux 6.8 and of the driver before it");

static int open_retrying(const char *path, int flags) {
  int fd;
  do {
    fd = open(path, flags | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

int nsm_open(const char *path) { return open_retrying(path, O_RDWR); }

int nsm_ioctl(int fd, struct nsm_raw *raw) { return ioctl(fd, NSM_IOCTL_RAW, raw) < 0 ? errno : 0; }

int nsm_add_entropy(const char *path, const uint8_t *bytes, uint32_t length) {
  struct rand_pool_info *info = malloc(sizeof *info + length);
  if (info == NULL) return ENOMEM;
  int fd = open_retrying(path, O_WRONLY | O_NONBLOCK);
  if (fd < 0) {
    free(info);
    return -fd;
  }
  info->entropy_count = (int)(length * 8);
  info->buf_size = (int)length;
  memcpy(info->buf, bytes, length);
  int error = ioctl(fd, RNDADDENTROPY, info) < 0 ? errno : 0;
  memset(info, 0, sizeof *info + length);
  __asm__ volatile("" : : "r"(info) : "memory"); // keeps the memset
  close(fd);
  free(info);
  return error;
}
