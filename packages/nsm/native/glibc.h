// The oldest version of each symbol that glibc 2.34 moved into libc.so.6, so that one binary loads wherever Node itself
// does: glibc 2.28 and later, and musl, which ignores versions.
#ifndef ENCLAVEJS_NSM_GLIBC_H
#define ENCLAVEJS_NSM_GLIBC_H

#include <features.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define NSM_OLDEST(symbol) __asm__(".symver " #symbol "," #symbol "@GLIBC_2.2.5")
#elif defined(__GLIBC__) && defined(__aarch64__)
#define NSM_OLDEST(symbol) __asm__(".symver " #symbol "," #symbol "@GLIBC_2.17")
#else
#define NSM_OLDEST(symbol) _Static_assert(1, "no versions")
#endif

NSM_OLDEST(pthread_create);
NSM_OLDEST(pthread_detach);
NSM_OLDEST(pthread_sigmask);

#endif
