// The Node-API face of key.h: keys as externals, signatures on libuv's thread pool, results as promises.
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"
#include "key.h"

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

static struct holder *holder_argument(napi_env env, napi_value value) {
  return external_argument(env, value, &key_tag, "not a key");
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
  if (!arguments(env, info, values, 1) || !bytes_argument(env, values[0], &der, &length)) return NULL;
  EVP_PKEY *key = key_load(der, length);
  if (length > 0) OPENSSL_cleanse(der, length);
  if (key == NULL) {
    TRY(env, napi_get_null(env, &result));
    return result;
  }
  struct holder *holder = malloc(sizeof *holder);
  if (holder == NULL) {
    EVP_PKEY_free(key);
    return throw_error(env, "out of memory");
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
  if (!bytes_argument(env, values[3], &digest, &length)) return NULL;
  if (scheme < SCHEME_PKCS1 || scheme > SCHEME_ECDSA) return throw_type(env, "no such scheme");
  if (length == 0 || length > MAX_DIGEST) return throw_type(env, "not a digest");
  if (holder->key == NULL) return throw_type(env, "the key was released");
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL || EVP_PKEY_up_ref(holder->key) <= 0) {
    free(job);
    return throw_error(env, "out of memory");
  }
  job->key = holder->key;
  job->scheme = (enum scheme)scheme;
  job->bits = bits;
  job->digest_length = length;
  memcpy(job->digest, digest, length);
  return queue(env, job);
}

NAPI_MODULE_INIT() {
  static const struct function functions[] = {{"load", load}, {"release", release}, {"sign", sign}};
  return export_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
