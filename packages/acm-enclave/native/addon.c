// The Node-API face of key.h: keys as externals, signatures on libuv's thread pool, results as promises.
#include <node_api.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"

// Every Node-API call goes through this. On failure an exception is pending and the caller returns.
#define TRY(env, call)           \
  do {                           \
    if ((call) != napi_ok) {     \
      throw_last(env);           \
      return NULL;               \
    }                            \
  } while (0)

static const napi_type_tag key_tag = {0x61636d2d746f6b65, 0x6e2d6b65792d6a73};

struct holder {
  EVP_PKEY *key; // NULL after release()
};

struct job {
  napi_async_work work;
  napi_deferred deferred;
  EVP_PKEY *key; // a reference of its own: the key may be released meanwhile
  enum scheme scheme;
  int bits;
  size_t digest_length, signature_length;
  uint8_t digest[MAX_DIGEST], signature[MAX_SIGNATURE];
};

static void throw_last(napi_env env) {
  const napi_extended_error_info *info = NULL;
  bool pending = false;
  if (napi_get_last_error_info(env, &info) != napi_ok) return;
  const char *message = info->error_message != NULL ? info->error_message : "Node-API call failed";
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) {
    (void)napi_throw_error(env, NULL, message); // nothing is left to report a failure to
  }
}

static napi_value misuse(napi_env env, const char *message) {
  if (napi_throw_type_error(env, NULL, message) != napi_ok) throw_last(env);
  return NULL;
}

static bool arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok) {
    throw_last(env);
    return false;
  }
  if (given < count) (void)misuse(env, "too few arguments");
  return given >= count;
}

static bool bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  bool is_typed = false;
  napi_typedarray_type type = napi_int8_array;
  void *start = NULL;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok ||
      (is_typed && napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL) != napi_ok)) {
    throw_last(env);
    return false;
  }
  if (!is_typed || type != napi_uint8_array) {
    (void)misuse(env, "not a Uint8Array");
    return false;
  }
  *data = start;
  return true;
}

static struct holder *holder_argument(napi_env env, napi_value value) {
  bool tagged = false;
  void *holder = NULL;
  napi_valuetype type;
  TRY(env, napi_typeof(env, value, &type));
  if (type == napi_external) TRY(env, napi_check_object_type_tag(env, value, &key_tag, &tagged));
  if (!tagged) return (struct holder *)(void *)misuse(env, "not a key");
  TRY(env, napi_get_value_external(env, value, &holder));
  return holder;
}

static void finalize(napi_env env, void *data, void *hint) {
  struct holder *holder = data;
  (void)env;
  (void)hint;
  EVP_PKEY_free(holder->key);
  free(holder);
}

// load(der): key, or null when it is none. The bytes are zeroed.
static napi_value load(napi_env env, napi_callback_info info) {
  napi_value values[1], result;
  uint8_t *der = NULL;
  size_t length = 0;
  if (!arguments(env, info, values, 1) || !bytes(env, values[0], &der, &length)) return NULL;
  EVP_PKEY *key = key_load(der, length);
  if (length > 0) OPENSSL_cleanse(der, length);
  if (key == NULL) {
    TRY(env, napi_get_null(env, &result));
    return result;
  }
  struct holder *holder = malloc(sizeof *holder);
  if (holder == NULL) {
    EVP_PKEY_free(key);
    if (napi_throw_error(env, NULL, "out of memory") != napi_ok) throw_last(env);
    return NULL;
  }
  holder->key = key;
  if (napi_create_external(env, holder, finalize, NULL, &result) != napi_ok) {
    throw_last(env);
    finalize(env, holder, NULL);
    return NULL;
  }
  TRY(env, napi_type_tag_object(env, result, &key_tag));
  return result;
}

// release(key): OpenSSL zeroes and frees it, now or when the last signature under way is made. Any number of times.
static napi_value release(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (!arguments(env, info, values, 1)) return NULL;
  struct holder *holder = holder_argument(env, values[0]);
  if (holder == NULL) return NULL;
  EVP_PKEY_free(holder->key);
  holder->key = NULL;
  return NULL;
}

static void execute(napi_env env, void *data) {
  struct job *job = data;
  (void)env;
  job->signature_length =
      key_sign(job->key, job->scheme, job->bits, job->digest, job->digest_length, job->signature);
}

static void drop(napi_env env, struct job *job) {
  if (job->work != NULL) (void)napi_delete_async_work(env, job->work);
  EVP_PKEY_free(job->key);
  free(job);
}

static napi_value signature_of(napi_env env, const struct job *job) {
  napi_value buffer, result;
  void *data = NULL;
  TRY(env, napi_create_arraybuffer(env, job->signature_length, &data, &buffer));
  memcpy(data, job->signature, job->signature_length);
  TRY(env, napi_create_typedarray(env, napi_uint8_array, job->signature_length, buffer, 0, &result));
  return result;
}

static void complete(napi_env env, napi_status status, void *data) {
  struct job *job = data;
  napi_value result = NULL;
  if (status == napi_ok && job->signature_length > 0) result = signature_of(env, job);
  if (result == NULL) {
    napi_value exception;
    (void)napi_get_and_clear_last_exception(env, &exception);
    if (napi_get_null(env, &result) != napi_ok) result = NULL;
  }
  // An environment that goes away refuses this, and nobody waits any more.
  if (result != NULL) (void)napi_resolve_deferred(env, job->deferred, result);
  drop(env, job);
}

static napi_value queue(napi_env env, struct job *job) {
  napi_value name, promise;
  if (napi_create_string_utf8(env, "ACMTOKENSIGN", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    throw_last(env);
    drop(env, job);
    return NULL;
  }
  return promise;
}

// sign(key, scheme, bits, digest): promise of the signature, or of null when OpenSSL refuses
static napi_value sign(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int32_t scheme = 0, bits = 0;
  uint8_t *digest = NULL;
  size_t length = 0;
  if (!arguments(env, info, values, 4)) return NULL;
  struct holder *holder = holder_argument(env, values[0]);
  if (holder == NULL) return NULL;
  TRY(env, napi_get_value_int32(env, values[1], &scheme));
  TRY(env, napi_get_value_int32(env, values[2], &bits));
  if (!bytes(env, values[3], &digest, &length)) return NULL;
  if (scheme < SCHEME_PKCS1 || scheme > SCHEME_ECDSA) return misuse(env, "no such scheme");
  if (length == 0 || length > MAX_DIGEST) return misuse(env, "not a digest");
  if (holder->key == NULL) return misuse(env, "the key was released");
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL || EVP_PKEY_up_ref(holder->key) <= 0) {
    free(job);
    if (napi_throw_error(env, NULL, "out of memory") != napi_ok) throw_last(env);
    return NULL;
  }
  job->key = holder->key;
  job->scheme = (enum scheme)scheme;
  job->bits = bits;
  job->digest_length = length;
  memcpy(job->digest, digest, length);
  return queue(env, job);
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback callback;
  } functions[] = {{"load", load}, {"release", release}, {"sign", sign}};
  for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
    napi_value function;
    TRY(env, napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].callback, NULL,
                                  &function));
    TRY(env, napi_set_named_property(env, exports, functions[index].name, function));
  }
  return exports;
}
