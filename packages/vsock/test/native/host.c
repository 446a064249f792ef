// Loads the addon the way Node does, in a program that runs under musl's loader: every symbol resolves, the module
// registers, and its placeholders are sockets of the system.
//
//   ld-musl-x86_64.so.1 host ADDON
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// As in node_api.h, which also declares what stands in for functions here.
typedef void *napi_value;
typedef napi_value (*napi_callback)(void *env, void *info);

#define EXPORT __attribute__((visibility("default")))
// The functions that the addon imports and this host never reaches.
#define UNUSED(name) \
  EXPORT int name(void) { return 9; /* napi_generic_failure */ }

UNUSED(napi_add_async_cleanup_hook)
UNUSED(napi_async_destroy)
UNUSED(napi_async_init)
UNUSED(napi_check_object_type_tag)
UNUSED(napi_close_handle_scope)
UNUSED(napi_create_array_with_length)
UNUSED(napi_create_external)
UNUSED(napi_create_int32)
UNUSED(napi_create_reference)
UNUSED(napi_create_string_utf8)
UNUSED(napi_delete_reference)
UNUSED(napi_fatal_exception)
UNUSED(napi_get_and_clear_last_exception)
UNUSED(napi_get_global)
UNUSED(napi_get_last_error_info)
UNUSED(napi_get_reference_value)
UNUSED(napi_get_typedarray_info)
UNUSED(napi_get_uv_event_loop)
UNUSED(napi_get_value_external)
UNUSED(napi_get_value_int32)
UNUSED(napi_is_exception_pending)
UNUSED(napi_is_typedarray)
UNUSED(napi_make_callback)
UNUSED(napi_open_handle_scope)
UNUSED(napi_remove_async_cleanup_hook)
UNUSED(napi_set_element)
UNUSED(napi_throw_error)
UNUSED(napi_throw_type_error)
UNUSED(napi_type_tag_object)
UNUSED(napi_typeof)
UNUSED(uv_close)
UNUSED(uv_poll_init)
UNUSED(uv_poll_start)
UNUSED(uv_poll_stop)
UNUSED(uv_ref)
UNUSED(uv_unref)

static napi_callback placeholder, name, close_descriptor;
static int functions;
static void *instance;
static long long given;
static double result;

EXPORT int napi_create_function(void *env, const char *called, size_t length, napi_callback callback, void *data,
                                napi_value *value) {
  (void)env, (void)length, (void)data;
  if (strcmp(called, "placeholder") == 0) placeholder = callback;
  if (strcmp(called, "name") == 0) name = callback;
  if (strcmp(called, "close") == 0) close_descriptor = callback;
  *value = &functions;
  return 0;
}

EXPORT int napi_set_named_property(void *env, napi_value object, const char *called, napi_value value) {
  (void)env, (void)object, (void)called, (void)value;
  functions++;
  return 0;
}

EXPORT int napi_get_cb_info(void *env, void *info, size_t *count, napi_value *values, napi_value *receiver, void **data) {
  (void)env, (void)info, (void)receiver, (void)data;
  for (size_t index = 0; index < *count; index++) values[index] = &given;
  return 0;
}

EXPORT int napi_get_value_int64(void *env, napi_value value, long long *number) {
  (void)env, (void)value;
  *number = given;
  return 0;
}

EXPORT int napi_get_value_bool(void *env, napi_value value, bool *truth) {
  (void)env, (void)value;
  *truth = given != 0;
  return 0;
}

EXPORT int napi_set_instance_data(void *env, void *data, void *finalize, void *hint) {
  (void)env, (void)finalize, (void)hint;
  instance = data;
  return 0;
}

EXPORT int napi_get_instance_data(void *env, void **data) {
  (void)env;
  *data = instance;
  return 0;
}

EXPORT int napi_create_double(void *env, double number, napi_value *value) {
  (void)env;
  result = number;
  *value = &result;
  return 0;
}

static int call(napi_callback callback, long long value) {
  given = value;
  (void)callback(NULL, NULL);
  return (int)result;
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
  if (initialize == NULL || initialize(NULL, &functions) == NULL) return 3;
  printf("functions: %d\n", functions);
  for (int listener = 0; listener < 2; listener++) {
    int fd = call(placeholder, listener);
    printf("placeholder: %s, name: %d, ", fd > 2 ? "open" : "none", call(name, fd));
    int first = call(close_descriptor, fd);
    printf("close: %d, again: %d\n", first, call(close_descriptor, fd));
  }
  return 0;
}
