#include "key.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

EVP_PKEY *key_load(const uint8_t *der, size_t length) {
  const unsigned char *cursor = der;
  if (length == 0 || length > LONG_MAX) return NULL;
  ERR_set_mark();
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &cursor, (long)length);
  ERR_pop_to_mark();
  if (key != NULL && cursor != der + length) {
    EVP_PKEY_free(key);
    return NULL;
  }
  return key;
}

static const EVP_MD *hash_of(int bits) {
  if (bits == 256) return EVP_sha256();
  if (bits == 384) return EVP_sha384();
  return bits == 512 ? EVP_sha512() : NULL;
}

static int prepare(EVP_PKEY_CTX *context, enum scheme scheme, int bits) {
  if (EVP_PKEY_sign_init(context) <= 0) return 0;
  if (scheme == SCHEME_ECDSA) return 1;
  const EVP_MD *hash = hash_of(bits);
  int padding = scheme == SCHEME_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
  if (hash == NULL || EVP_PKEY_CTX_set_rsa_padding(context, padding) <= 0 ||
      EVP_PKEY_CTX_set_signature_md(context, hash) <= 0) {
    return 0;
  }
  return scheme == SCHEME_PKCS1 || (EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) > 0 &&
                                    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0);
}

// ECDSA-Sig-Value to r and s, padded to the length of the order: not to the longer of the two.
static size_t fixed_length(EVP_PKEY *key, const uint8_t *der, size_t length, uint8_t *signature) {
  const unsigned char *cursor = der;
  int size = (EVP_PKEY_get_bits(key) + 7) / 8;
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &cursor, (long)length);
  if (pair == NULL) return 0;
  const BIGNUM *r = NULL, *s = NULL;
  ECDSA_SIG_get0(pair, &r, &s);
  int good = size > 0 && size * 2 <= MAX_SIGNATURE && BN_bn2binpad(r, signature, size) == size &&
             BN_bn2binpad(s, signature + size, size) == size;
  ECDSA_SIG_free(pair);
  return good ? (size_t)size * 2 : 0;
}

size_t key_sign(EVP_PKEY *key, enum scheme scheme, int bits, const uint8_t *digest, size_t length,
                uint8_t signature[MAX_SIGNATURE]) {
  uint8_t der[MAX_SIGNATURE];
  size_t size = MAX_SIGNATURE, result = 0;
  ERR_set_mark();
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  if (context != NULL && prepare(context, scheme, bits)) {
    uint8_t *out = scheme == SCHEME_ECDSA ? der : signature;
    if (EVP_PKEY_sign(context, out, &size, digest, length) > 0) {
      result = scheme == SCHEME_ECDSA ? fixed_length(key, der, size, signature) : size;
    }
  }
  EVP_PKEY_CTX_free(context);
  ERR_pop_to_mark();
  return result;
}
