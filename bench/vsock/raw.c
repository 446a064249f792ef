// What the kernel's sockets cost with nothing above them: blocking read(2) and write(2), one process at each end.
//   raw echo|sink|source FAMILY ADDRESS              serves
//   raw latency|latency-epoll|upload|download FAMILY ADDRESS MS    measures, and prints microseconds or megabytes a second
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define CHUNK 65536
#define MESSAGE 64

static char buffer[CHUNK];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// A socket and the address that a family and a word mean: `vsock 7000` (CID 1), `unix /tmp/a`, `tcp 7000` (127.0.0.1).
static int open_socket(const char *family, const char *word, struct sockaddr_storage *to, socklen_t *length) {
  int domain = AF_UNIX;
  memset(to, 0, sizeof *to);
  if (strcmp(family, "vsock") == 0) {
    struct sockaddr_vm *address = (struct sockaddr_vm *)to;
    address->svm_family = AF_VSOCK;
    address->svm_cid = VMADDR_CID_LOCAL;
    address->svm_port = (uint32_t)strtoul(word, NULL, 10);
    *length = sizeof *address;
    domain = AF_VSOCK;
  } else if (strcmp(family, "tcp") == 0) {
    struct sockaddr_in *address = (struct sockaddr_in *)to;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons((uint16_t)strtoul(word, NULL, 10));
    *length = sizeof *address;
    domain = AF_INET;
  } else {
    struct sockaddr_un *address = (struct sockaddr_un *)to;
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, word, sizeof address->sun_path - 1);
    *length = sizeof *address;
  }
  int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  return fd;
}

static void no_delay(int fd, const char *family) {
  const int on = 1;
  if (strcmp(family, "tcp") == 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void write_all(int fd, const char *from, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, from, length);
    if (written < 0) fail("write");
    from += written;
    length -= (size_t)written;
  }
}

static double now(void) { // milliseconds
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

// Echoes what comes (`echo`), counts it and says how much it was (`sink`), or sends until nobody reads any more (`source`):
// one connection after the other.
static void serve(int listener, const char *family, const char *what) {
  const int echo = strcmp(what, "echo") == 0;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    no_delay(fd, family);
    if (strcmp(what, "source") == 0) {
      while (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) > 0) continue;
      close(fd);
      continue;
    }
    uint64_t total = 0;
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
      total += (uint64_t)length;
      if (echo) write_all(fd, buffer, (size_t)length);
    }
    if (!echo) {
      char text[32];
      write_all(fd, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)total));
    }
    close(fd);
  }
}

// By epoll, as an event loop reads, or by a read that blocks.
static void latency(int fd, double milliseconds, int by_epoll) {
  long trips = 0;
  int epoll = -1;
  struct epoll_event event = {.events = EPOLLIN};
  if (by_epoll) {
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  }
  double began = now(), taken;
  do {
    write_all(fd, buffer, MESSAGE);
    for (ssize_t got = 0; got < MESSAGE;) {
      if (by_epoll && epoll_wait(epoll, &event, 1, -1) < 0) fail("epoll_wait");
      ssize_t length = read(fd, buffer, MESSAGE);
      if (length <= 0) fail("read");
      got += length;
    }
    trips++;
  } while ((taken = now() - began) < milliseconds);
  printf("%.3f\n", taken * 1000 / (double)trips);
}

static void upload(int fd, double milliseconds) {
  uint64_t sent = 0;
  double began = now();
  while (now() - began < milliseconds) {
    write_all(fd, buffer, sizeof buffer);
    sent += sizeof buffer;
  }
  shutdown(fd, SHUT_WR);
  char text[32];
  ssize_t length, got = 0;
  while ((length = read(fd, text + got, sizeof text - 1 - (size_t)got)) > 0) got += length;
  text[got] = 0;
  if (strtoull(text, NULL, 10) != sent) fail("not all has arrived");
  printf("%.3f\n", (double)sent / 1e3 / (now() - began));
}

static void download(int fd, double milliseconds) {
  uint64_t got = 0;
  double began = now(), taken;
  do {
    ssize_t length = read(fd, buffer, sizeof buffer);
    if (length <= 0) fail("read");
    got += (uint64_t)length;
  } while ((taken = now() - began) < milliseconds);
  printf("%.3f\n", (double)got / 1e3 / taken);
}

int main(int count, char **words) {
  if (count < 4) return 2;
  struct sockaddr_storage address;
  socklen_t length;
  int fd = open_socket(words[2], words[3], &address, &length);
  if (count == 4) {
    const int on = 1;
    if (strcmp(words[2], "tcp") == 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) != 0) fail("bind");
    if (listen(fd, 16) != 0) fail("listen");
    serve(fd, words[2], words[1]);
  }
  if (connect(fd, (struct sockaddr *)&address, length) != 0) fail("connect");
  no_delay(fd, words[2]);
  const double milliseconds = strtod(words[4], NULL);
  if (strncmp(words[1], "latency", 7) == 0) latency(fd, milliseconds, strcmp(words[1], "latency-epoll") == 0);
  else if (strcmp(words[1], "upload") == 0) upload(fd, milliseconds);
  else download(fd, milliseconds);
  return 0;
}
