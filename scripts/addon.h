// What the Node-API faces of the addons have in common. A function that fails leaves an exception pending; its caller
// returns at once.
#ifndef ENCLAVEJS_ADDON_H
#define ENCLAVEJS_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

static inline void throw_last(napi_env env) {
  const napi_extended_error_info *info = NULL;
  bool pending = false;
  if (napi_get_last_error_info(env, &info) != napi_ok) return;
  const char *message = info->error_message != NULL ? info->error_message : "Node-API call failed";
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) {
    (void)napi_throw_error(env, NULL, message); // nothing is left to report a failure to
  }
}

// Every Node-API call of a function that returns a pointer goes through this.
#define TRY(env, call)       \
  do {                       \
    if ((call) != napi_ok) { \
      throw_last(env);       \
      return NULL;           \
    }                        \
  } while (0)

// A misuse of the addon's interface, or an error that is nobody's mistake.
static inline napi_value throw_type(napi_env env, const char *message) {
  if (napi_throw_type_error(env, NULL, message) != napi_ok) throw_last(env);
  return NULL;
}

static inline napi_value throw_error(napi_env env, const char *message) {
  if (napi_throw_error(env, NULL, message) != napi_ok) throw_last(env);
  return NULL;
}

static inline napi_value number(napi_env env, double value) {
  napi_value result;
  TRY(env, napi_create_double(env, value, &result));
  return result;
}

// Reads `count` arguments.
static inline bool arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok) {
    throw_last(env);
    return false;
  }
  if (given < count) (void)throw_type(env, "too few arguments");
  return given >= count;
}

// A Uint8Array. The view stays valid while no JavaScript runs.
static inline bool bytes_argument(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  bool is_typed = false;
  napi_typedarray_type type = napi_int8_array;
  void *view = NULL;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok ||
      (is_typed && napi_get_typedarray_info(env, value, &type, length, &view, NULL, NULL) != napi_ok)) {
    throw_last(env);
    return false;
  }
  if (!is_typed || type != napi_uint8_array) {
    (void)throw_type(env, "not a Uint8Array");
    return false;
  }
  *data = view;
  return true;
}

// What an external of this tag holds; NULL and an exception, `otherwise`, for every other value.
static inline void *external_argument(napi_env env, napi_value value, const napi_type_tag *tag, const char *otherwise) {
  bool tagged = false;
  void *held = NULL;
  napi_valuetype type;
  TRY(env, napi_typeof(env, value, &type));
  if (type == napi_external) TRY(env, napi_check_object_type_tag(env, value, tag, &tagged));
  if (!tagged) return throw_type(env, otherwise);
  TRY(env, napi_get_value_external(env, value, &held));
  return held;
}

struct function {
  const char *name;
  napi_callback callback;
};

// Gives `exports` its functions; returns it.
static inline napi_value export_functions(napi_env env, napi_value exports, const struct function *functions, size_t count) {
  for (size_t index = 0; index < count; index++) {
    napi_value function;
    TRY(env, napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].callback, NULL,
                                  &function));
    TRY(env, napi_set_named_property(env, exports, functions[index].name, function));
  }
  return exports;
}

#endif
