// The init of an enclave that @enclavejs/eif builds in the mode `oci`. It is process 1 of the initramfs: it mounts what a
// program expects, tells the parent that the enclave has booted, becomes the root that /enclave describes, runs its command
// as its user, reaps what is orphaned, and ends the enclave with the command, its status on the console.
//
// Words of the kernel's command line, which is measured:
//   enclave.heartbeat_cid=CID   whom the heartbeat goes to, port 9000; 0: to nobody. Default 3, the parent on EC2.
//   enclave.heartbeat_fatal=0   goes on when the heartbeat fails. Default 1: the enclave ends.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/random.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h> // needs sys/socket.h before it

#define HEARTBEAT_PORT 9000
#define HEARTBEAT_BYTE 0xB7
#define HEARTBEAT_SECONDS 10
#define FILES_LIMIT 1048576
#define CONFIG_MAX (1 << 20)

static void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  if (length > (int)sizeof line - 2) length = (int)sizeof line - 2;
  line[length++] = '\n';
  if (write(STDERR_FILENO, line, (size_t)length) < 0) return;
}

// The enclave ends with process 1: the parent sees it go. A status that is not 0 stands on the console.
static void end(void) __attribute__((noreturn));
static void end(void) {
  sync();
  reboot(RB_AUTOBOOT);
  // Not process 1, or a kernel that cannot: the kernel panics when process 1 exits, which ends the enclave too.
  _exit(1);
}

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what) {
  say("enclave: %s: %s", what, strerror(errno));
  end();
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data, int needed) {
  if (mkdir(target, 0755) < 0 && errno != EEXIST && needed) fail(target);
  if (mount(source, target, type, flags, data) < 0 && errno != EBUSY && needed) {
    say("enclave: mounting %s on %s", type, target);
    fail("mount");
  }
}

static void open_console(void) {
  int fd = open("/dev/console", O_RDWR);
  if (fd < 0) return;
  for (int target = 0; target < 3; target++) dup2(fd, target);
  if (fd > 2) close(fd);
}

// Reads a file whole and puts a NUL behind it; NULL when there is none.
static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  char *bytes = malloc(CONFIG_MAX + 1);
  if (bytes == NULL) fail("malloc");
  size_t length = 0;
  while (length < CONFIG_MAX) {
    ssize_t count = read(fd, bytes + length, CONFIG_MAX - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += (size_t)count;
  }
  close(fd);
  bytes[length] = 0;
  *size = length;
  return bytes;
}

// The words of a file, each with a NUL behind it, as an array that ends with NULL.
static char **read_words(const char *path, size_t *count) {
  size_t size = 0;
  char *bytes = read_file(path, &size);
  if (bytes == NULL) fail(path);
  size_t words = 0;
  for (size_t index = 0; index < size; index++) words += bytes[index] == 0;
  char **list = calloc(words + 1, sizeof *list);
  if (list == NULL) fail("calloc");
  char *word = bytes;
  for (size_t index = 0; index < words; index++) {
    list[index] = word;
    word += strlen(word) + 1;
  }
  *count = words;
  return list;
}

// The number behind `key=` on the command line, or the default. The last one counts.
static unsigned long cmdline_number(const char *cmdline, const char *key, unsigned long fallback) {
  size_t length = strlen(key);
  for (const char *at = cmdline; (at = strstr(at, key)) != NULL; at += length) {
    int begins = at == cmdline || at[-1] == ' ';
    if (begins && at[length] == '=') fallback = strtoul(at + length + 1, NULL, 10);
  }
  return fallback;
}

static void load_module(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return;
    fail(path);
  }
  if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST) fail("nsm.ko does not load");
  close(fd);
  unlink(path);
}

static void bring_up_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return; // a kernel without a network has no lo either
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) say("enclave: lo stays down: %s", strerror(errno));
  }
  close(fd);
}

struct nsm_raw {
  uint64_t request, request_length, response, response_length;
};
#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)

// Credits the NSM's random bytes to the kernel's pool, so that nothing waits for entropy, and no key is made of little.
static void seed_random(void) {
  static const uint8_t request[] = "\x69GetRandom";
  // {"GetRandom": {"random": h'…'}}
  static const uint8_t head[] = "\xa1\x69GetRandom\xa1\x66random";
  uint8_t response[0x3000];
  int nsm = open("/dev/nsm", O_RDWR | O_CLOEXEC);
  if (nsm < 0) {
    say("enclave: no /dev/nsm: %s", strerror(errno));
    return;
  }
  struct nsm_raw raw = {(uintptr_t)request, sizeof request - 1, (uintptr_t)response, sizeof response};
  int failed = ioctl(nsm, NSM_IOCTL_RAW, &raw) < 0;
  close(nsm);
  size_t at = sizeof head - 1;
  if (failed || raw.response_length < at + 3 || memcmp(response, head, at) != 0) {
    say("enclave: the NSM gave no random bytes");
    return;
  }
  size_t length = 0;
  if (response[at] == 0x58) length = response[at + 1], at += 2;
  else if (response[at] == 0x59) length = (size_t)(response[at + 1] << 8 | response[at + 2]), at += 3;
  if (length == 0 || length > 1024 || at + length > raw.response_length) return;
  struct {
    struct rand_pool_info info;
    uint8_t bytes[1024];
  } pool = {.info = {.entropy_count = (int)(8 * length), .buf_size = (int)length}};
  memcpy(pool.info.buf, response + at, length);
  int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0) say("enclave: no entropy added: %s", strerror(errno));
  if (fd >= 0) close(fd);
  memset(response, 0, sizeof response);
  memset(&pool, 0, sizeof pool);
  __asm__ volatile("" : : "r"(&pool), "r"(response) : "memory"); // keeps both
}

// nitro-cli waits for this before it calls the enclave started. NULL when it was answered.
static const char *heartbeat(unsigned cid) {
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "no vsock";
  struct timeval limit = {HEARTBEAT_SECONDS, 0};
  setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = HEARTBEAT_PORT};
  uint8_t byte = HEARTBEAT_BYTE;
  const char *failure = NULL;
  ssize_t count;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) failure = strerror(errno);
  else if (write(fd, &byte, 1) != 1) failure = "it was not sent";
  else {
    do count = read(fd, &byte, 1);
    while (count < 0 && errno == EINTR);
    if (count != 1 || byte != HEARTBEAT_BYTE) failure = "it was not answered";
  }
  close(fd);
  return failure;
}

static void enter_root(void) {
  if (mount("/rootfs", "/rootfs", NULL, MS_BIND | MS_REC, NULL) < 0) fail("/rootfs");
  if (chdir("/rootfs") < 0) fail("/rootfs");
  if (mount(".", "/", NULL, MS_MOVE, NULL) < 0) fail("moving the root");
  if (chroot(".") < 0 || chdir("/") < 0) fail("chroot");
  mount_at("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL, 1);
  mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 1);
  mount_at("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 1);
  mount_at("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755", 1);
  mount_at("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", 1);
  mount_at("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777", 1);
  mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666", 0);
  mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 0);
  static const char *links[][2] = {
      {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"},
  };
  for (size_t index = 0; index < sizeof links / sizeof *links; index++) {
    if (symlink(links[index][0], links[index][1]) < 0 && errno != EEXIST) fail(links[index][1]);
  }
}

static void make_directory(const char *path) {
  char parent[PATH_MAX];
  if (strlen(path) >= sizeof parent) return;
  strcpy(parent, path);
  for (char *slash = strchr(parent + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(parent, 0755);
    *slash = '/';
  }
  mkdir(parent, 0755);
}

struct process {
  char **command, **environment;
  const char *directory;
  uid_t uid;
  gid_t gid;
  gid_t groups[64];
  size_t group_count;
};

static unsigned long number(const char *word) {
  char *rest;
  errno = 0;
  unsigned long value = strtoul(word, &rest, 10);
  if (errno != 0 || rest == word || *rest != 0 || value > UINT32_MAX - 1) {
    errno = EINVAL;
    fail("/enclave/user");
  }
  return value;
}

static void read_process(struct process *process) {
  size_t count;
  process->command = read_words("/enclave/command", &count);
  if (count == 0) errno = EINVAL, fail("/enclave/command");
  process->environment = read_words("/enclave/environment", &count);
  char **directory = read_words("/enclave/directory", &count);
  if (count != 1) errno = EINVAL, fail("/enclave/directory");
  process->directory = directory[0];
  char **ids = read_words("/enclave/user", &count);
  if (count < 2 || count > 2 + sizeof process->groups / sizeof *process->groups) errno = EINVAL, fail("/enclave/user");
  process->uid = (uid_t)number(ids[0]);
  process->gid = (gid_t)number(ids[1]);
  process->group_count = count - 2;
  for (size_t index = 2; index < count; index++) process->groups[index - 2] = (gid_t)number(ids[index]);
}

static void run(const struct process *process) __attribute__((noreturn));
static void run(const struct process *process) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  make_directory(process->directory);
  if (setgroups(process->group_count, process->groups) < 0) fail("setgroups");
  if (setgid(process->gid) < 0 || setuid(process->uid) < 0) fail("setuid");
  if (chdir(process->directory) < 0) fail(process->directory);
  clearenv();
  for (char **entry = process->environment; *entry != NULL; entry++) {
    if (putenv(*entry) != 0) fail("environment");
  }
  execvp(process->command[0], process->command);
  say("enclave: %s: %s", process->command[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  umask(022);
  mount_at("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL, 1);
  open_console();
  mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 1);
  size_t size = 0;
  char *cmdline = read_file("/proc/cmdline", &size);
  if (cmdline == NULL) fail("/proc/cmdline");
  load_module("/nsm.ko");
  bring_up_loopback();
  seed_random();
  unsigned long cid = cmdline_number(cmdline, "enclave.heartbeat_cid", 3);
  if (cid != 0) {
    const char *failure = heartbeat((unsigned)cid);
    if (failure != NULL) {
      say("enclave: no heartbeat with CID %lu: %s", cid, failure);
      if (cmdline_number(cmdline, "enclave.heartbeat_fatal", 1) != 0) end();
    }
  }
  struct process process;
  read_process(&process);
  enter_root();
  struct rlimit files = {FILES_LIMIT, FILES_LIMIT};
  if (setrlimit(RLIMIT_NOFILE, &files) < 0) say("enclave: RLIMIT_NOFILE: %s", strerror(errno));
  if (process.uid != 0) {
    // One program owns this machine; it may use the NSM and write to the console whoever it runs as.
    if (chown("/dev/nsm", process.uid, process.gid) < 0 && errno != ENOENT) fail("/dev/nsm");
    if (chown("/dev/console", process.uid, process.gid) < 0) fail("/dev/console");
  }
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) run(&process);
  for (;;) {
    int status = 0;
    pid_t reaped = waitpid(-1, &status, 0);
    if (reaped < 0 && errno == EINTR) continue;
    if (reaped < 0) fail("waitpid");
    if (reaped != child) continue;
    if (WIFEXITED(status)) say("enclave: exit status %d", WEXITSTATUS(status));
    else say("enclave: ended by signal %d", WTERMSIG(status));
    end();
  }
}
