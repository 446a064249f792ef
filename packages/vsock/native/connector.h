// One connect(2) in progress, watched by the loop of its environment: no thread, no timer (the kernel has the timeout).
#ifndef ENCLAVEJS_VSOCK_CONNECTOR_H
#define ENCLAVEJS_VSOCK_CONNECTOR_H

#include <node_api.h>
#include <stdbool.h>

struct connector;

// Takes `fd`, whose connect(2) has begun, and calls `callback` once with 0 or a negative errno, in a later turn of the
// loop, unless it is cancelled first. NULL with an exception pending; `fd` is then still the caller's.
struct connector *connector_start(napi_env env, int fd, napi_value callback);

// Nothing is called afterwards. Any number of times, and after the end.
void connector_cancel(struct connector *connector);

// Whether it keeps the loop alive, as a connecting node:net socket does.
void connector_ref(struct connector *connector, bool ref);

void connector_release(struct connector *connector);

#endif
