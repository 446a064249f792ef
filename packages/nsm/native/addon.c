// The Node-API face of device.h. Failures of the device come back as errno numbers, so that the TypeScript side alone
// words errors; only misuse of this interface throws.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"
#include "device.h"
#include "ioctl.h"

#define ENTROPY_MAX 4096
#define TIMEOUT_MAX 2147483647 // milliseconds, as for setTimeout

static const napi_type_tag device_tag = {0x6e736d2d64657669, 0x63652d656e636c76};

static napi_value bytes(napi_env env, const uint8_t *data, size_t length) {
  napi_value buffer, result;
  void *target = NULL;
  TRY(env, napi_create_arraybuffer(env, length, &target, &buffer));
  if (length != 0) memcpy(target, data, length);
  TRY(env, napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result));
  return result;
}

static struct nsm_device *device_argument(napi_env env, napi_value value) {
  return external_argument(env, value, &device_tag, "not an NSM handle");
}

// A request of a length the device does not take is refused here again, because a request of none breaks QEMU's device
// for good.
static bool bounded_argument(napi_env env, napi_value value, size_t most, const uint8_t **data, size_t *length) {
  uint8_t *view = NULL;
  if (!bytes_argument(env, value, &view, length)) return false;
  if (*length == 0 || *length > most) {
    if (napi_throw_range_error(env, NULL, "length out of bounds") != napi_ok) throw_last(env);
    return false;
  }
  *data = view;
  return true;
}

static char *path_argument(napi_env env, napi_value value) {
  size_t length = 0;
  TRY(env, napi_get_value_string_utf8(env, value, NULL, 0, &length));
  if (length >= PATH_MAX) {
    (void)throw_type(env, "path too long");
    return NULL;
  }
  char *path = malloc(length + 1);
  if (path == NULL) {
    (void)throw_type(env, "out of memory");
    return NULL;
  }
  if (napi_get_value_string_utf8(env, value, path, length + 1, &length) != napi_ok) {
    throw_last(env);
    free(path);
    return NULL;
  }
  return path;
}

// On the JavaScript thread, with env NULL when the environment goes away first.
static void complete(napi_env env, napi_value callback, void *context, void *data) {
  struct nsm_call *call = data;
  (void)context;
  if (env != NULL && callback != NULL) {
    napi_value receiver;
    napi_value values[2] = {number(env, call->id), NULL};
    values[1] = call->error != 0 ? number(env, call->error) : bytes(env, call->response, call->response_length);
    // On failure an exception is pending, and Node raises it as uncaught.
    if (values[0] != NULL && values[1] != NULL && napi_get_undefined(env, &receiver) == napi_ok) {
      if (napi_call_function(env, receiver, callback, 2, values, NULL) != napi_ok) throw_last(env);
    }
  }
  nsm_call_free(call);
}

static bool deliver(void *sink, struct nsm_call *call) {
  return napi_call_threadsafe_function(sink, call, napi_tsfn_nonblocking) == napi_ok;
}

// napi_closing is no failure here: the environment is already taking the function down.
static void drained(void *sink) { (void)napi_release_threadsafe_function(sink, napi_tsfn_release); }

// The environment takes the function down, at the end of a worker or of the process, or after drained().
static void finalize_sink(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  void *sink = nsm_device_detach(data);
  if (sink != NULL) drained(sink); // the device's share of the function; without it Node 24 would keep its memory
  nsm_device_release(data);
}

// The handle was collected. Calls already accepted still end and are delivered.
static void finalize_handle(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  nsm_device_close(data);
  nsm_device_release(data);
}

// open(path, onComplete): handle or errno
static napi_value open_device(napi_env env, napi_callback_info info) {
  napi_value values[2], name, handle;
  napi_threadsafe_function sink;
  int error = 0;
  if (!arguments(env, info, values, 2)) return NULL;
  char *path = path_argument(env, values[0]);
  if (path == NULL) return NULL;
  struct nsm_device *device = nsm_device_open(path, &error);
  free(path);
  if (device == NULL) return number(env, error);

  if (napi_create_external(env, device, finalize_handle, NULL, &handle) != napi_ok) {
    throw_last(env);
    nsm_device_release(device);
    return NULL;
  }
  TRY(env, napi_type_tag_object(env, handle, &device_tag));
  TRY(env, napi_create_string_utf8(env, "enclavejs:nsm", NAPI_AUTO_LENGTH, &name));
  nsm_device_retain(device); // released by finalize_sink
  if (napi_create_threadsafe_function(env, values[1], NULL, name, 0, 1, device, finalize_sink, NULL, complete,
                                      &sink) != napi_ok) {
    throw_last(env);
    nsm_device_release(device);
    return NULL;
  }
  nsm_device_attach(device, sink, deliver, drained);
  // A pending promise is kept alive by the timer of its deadline, and a stuck call keeps nothing alive.
  TRY(env, napi_unref_threadsafe_function(env, sink));
  return handle;
}

// submit(handle, id, request, milliseconds): 0 or errno
static napi_value submit(napi_env env, napi_callback_info info) {
  napi_value values[4];
  double id = 0;
  int64_t timeout = 0;
  const uint8_t *request = NULL;
  size_t length = 0;
  if (!arguments(env, info, values, 4)) return NULL;
  struct nsm_device *device = device_argument(env, values[0]);
  if (device == NULL) return NULL;
  TRY(env, napi_get_value_double(env, values[1], &id));
  TRY(env, napi_get_value_int64(env, values[3], &timeout));
  if (timeout < 0 || timeout > TIMEOUT_MAX) return throw_type(env, "milliseconds out of bounds");
  if (!bounded_argument(env, values[2], NSM_REQUEST_MAX, &request, &length)) return NULL;
  return number(env, nsm_device_submit(device, id, request, length, (uint64_t)timeout));
}

// requestSync(handle, request): Uint8Array or errno
static napi_value request_sync(napi_env env, napi_callback_info info) {
  napi_value values[2];
  const uint8_t *request = NULL;
  size_t length = 0, response_length = 0;
  uint8_t copy[NSM_REQUEST_MAX], response[NSM_RESPONSE_MAX];
  if (!arguments(env, info, values, 2)) return NULL;
  struct nsm_device *device = device_argument(env, values[0]);
  if (device == NULL) return NULL;
  if (!bounded_argument(env, values[1], NSM_REQUEST_MAX, &request, &length)) return NULL;
  memcpy(copy, request, length); // another thread may own a shared buffer
  int error = nsm_device_exchange(device, copy, length, response, &response_length);
  napi_value result = error != 0 ? number(env, error) : bytes(env, response, response_length);
  memset(response, 0, response_length);
  __asm__ volatile("" : : "r"(response) : "memory"); // keeps the memset
  return result;
}

// close(handle)
static napi_value close_device(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (!arguments(env, info, values, 1)) return NULL;
  struct nsm_device *device = device_argument(env, values[0]);
  if (device != NULL) nsm_device_close(device);
  return NULL;
}

// addEntropy(path, bytes): 0 or errno
static napi_value add_entropy(napi_env env, napi_callback_info info) {
  napi_value values[2];
  const uint8_t *seed = NULL;
  size_t length = 0;
  if (!arguments(env, info, values, 2)) return NULL;
  if (!bounded_argument(env, values[1], ENTROPY_MAX, &seed, &length)) return NULL;
  char *path = path_argument(env, values[0]);
  if (path == NULL) return NULL;
  int error = nsm_add_entropy(path, seed, (uint32_t)length);
  free(path);
  return number(env, error);
}

NAPI_MODULE_INIT() {
  static const struct function functions[] = {
      {"open", open_device},   {"submit", submit},         {"requestSync", request_sync},
      {"close", close_device}, {"addEntropy", add_entropy},
  };
  return export_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
