// The NSM's ioctl with nothing around it: what the driver itself refuses, how fast it is, and how to break QEMU's device.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct nsm_raw {
  uint64_t request, request_length, response, response_length;
};

static uint8_t request[0x2000], response[0x3000];

static int call(int fd, unsigned long number, const void *from, uint64_t length) {
  struct nsm_raw raw = {(uintptr_t)from, length, (uintptr_t)response, sizeof response};
  return ioctl(fd, number, &raw) < 0 ? errno : 0;
}

static int compare(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : 1; }

int main(int count, char **arguments) {
  const unsigned long number = 0xC0200A00;
  int fd = open("/dev/nsm", O_RDWR | O_CLOEXEC);
  if (fd < 0 || count < 2) return 1;
  memcpy(request, "\x69GetRandom", 10);
  if (strcmp(arguments[1], "errno") == 0) {
    printf("%d %d %d %d %d\n", call(fd, number, request, 0x1000), call(fd, number, request, 0x1001),
           call(fd, number + 1, request, 10), call(fd, number, NULL, 10), call(fd, number, request, 10));
  } else if (strcmp(arguments[1], "break") == 0) {
    // A request of no bytes marks QEMU's device as broken; every call waits 120 seconds from then on.
    call(fd, number, request, 0);
  } else if (strcmp(arguments[1], "time") == 0) {
    int rounds = atoi(arguments[2]);
    double *times = malloc((size_t)rounds * sizeof *times), sum = 0;
    for (int round = 0; round < rounds; round++) {
      struct timespec before, after;
      clock_gettime(CLOCK_MONOTONIC, &before);
      if (call(fd, number, request, 10) != 0) return 2;
      clock_gettime(CLOCK_MONOTONIC, &after);
      times[round] = (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
      sum += times[round];
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    printf("%.1f %.1f\n", times[rounds / 2], sum / rounds);
  }
  return 0;
}
