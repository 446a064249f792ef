// Loads the addon the way Node does, in a program that runs under musl's loader: every symbol resolves, the module
// registers, its open() reaches the system. Then runs the device's queue and thread, linked in here, under the same libc.
//
//   ld-musl-x86_64.so.1 host ADDON
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

// As in node_api.h, which also declares what stands in for functions here.
typedef void *napi_value;
typedef napi_value (*napi_callback)(void *env, void *info);

#define EXPORT __attribute__((visibility("default")))
// The functions that the addon imports and this host never reaches.
#define UNUSED(name) \
  EXPORT int name(void) { return 9; /* napi_generic_failure */ }

UNUSED(napi_call_function)
UNUSED(napi_call_threadsafe_function)
UNUSED(napi_check_object_type_tag)
UNUSED(napi_create_arraybuffer)
UNUSED(napi_create_external)
UNUSED(napi_create_string_utf8)
UNUSED(napi_create_threadsafe_function)
UNUSED(napi_create_typedarray)
UNUSED(napi_get_last_error_info)
UNUSED(napi_get_typedarray_info)
UNUSED(napi_get_undefined)
UNUSED(napi_get_value_double)
UNUSED(napi_get_value_external)
UNUSED(napi_get_value_int64)
UNUSED(napi_is_exception_pending)
UNUSED(napi_is_typedarray)
UNUSED(napi_release_threadsafe_function)
UNUSED(napi_throw_error)
UNUSED(napi_throw_range_error)
UNUSED(napi_throw_type_error)
UNUSED(napi_type_tag_object)
UNUSED(napi_typeof)
UNUSED(napi_unref_threadsafe_function)

static napi_callback open_device;
static int functions;
static double result;

EXPORT int napi_create_function(void *env, const char *name, size_t length, napi_callback callback,
                                        void *data, napi_value *value) {
  (void)env, (void)length, (void)data;
  if (strcmp(name, "open") == 0) open_device = callback;
  *value = &functions;
  return 0;
}

EXPORT int napi_set_named_property(void *env, napi_value object, const char *name, napi_value value) {
  (void)env, (void)object, (void)name, (void)value;
  functions++;
  return 0;
}

EXPORT int napi_get_cb_info(void *env, void *info, size_t *count, napi_value *values,
                                    napi_value *receiver, void **data) {
  (void)env, (void)info, (void)receiver, (void)data;
  for (size_t index = 0; index < *count; index++) values[index] = NULL;
  return 0;
}

EXPORT int napi_get_value_string_utf8(void *env, napi_value value, char *text, size_t size, size_t *length) {
  static const char path[] = "/nonexistent/nsm";
  (void)env, (void)value;
  if (text != NULL) snprintf(text, size, "%s", path);
  *length = sizeof path - 1;
  return 0;
}

EXPORT int napi_create_double(void *env, double number, napi_value *value) {
  (void)env;
  result = number;
  *value = &result;
  return 0;
}

static bool deliver(void *sink, struct nsm_call *call) {
  if (call->error == 0 && call->response_length == 278) __atomic_add_fetch((int *)sink, 1, __ATOMIC_SEQ_CST);
  nsm_call_free(call);
  return true;
}

static void drained(void *sink) { __atomic_add_fetch((int *)sink, 1000, __ATOMIC_SEQ_CST); }

static int run_device(void) {
  int seen = 0, error = 0;
  struct nsm_device *device = nsm_device_open("fake:instant", &error);
  if (device == NULL) return error;
  nsm_device_attach(device, &seen, deliver, drained);
  for (int index = 0; index < 100; index++) {
    error = nsm_device_submit(device, index, (const uint8_t *)"\x69GetRandom", 10, 5000);
    if (error != 0) return error;
  }
  nsm_device_close(device);
  for (int waited = 0; __atomic_load_n(&seen, __ATOMIC_SEQ_CST) < 1100 && waited < 5000; waited++) usleep(1000);
  nsm_device_release(device);
  return seen == 1100 ? 0 : EIO;
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  void *addon = dlopen(arguments[1], RTLD_NOW);
  if (addon == NULL) {
    printf("dlopen: %s\n", dlerror());
    return 1;
  }
  napi_value (*initialize)(void *, napi_value);
  *(void **)&initialize = dlsym(addon, "napi_register_module_v1");
  if (initialize == NULL || initialize(NULL, &functions) == NULL || functions != 5) return 3;
  open_device(NULL, NULL);
  printf("open: errno %d\n", (int)result);
  printf("device: errno %d\n", run_device());
  return 0;
}
