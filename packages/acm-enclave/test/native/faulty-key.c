// A defect on purpose, in the place of native/key.c.
#include "key.h"

EVP_PKEY *key_load(const uint8_t *der, size_t length) {
  (void)der, (void)length;
  return EVP_PKEY_new();
}

size_t key_sign(EVP_PKEY *key, enum scheme scheme, int bits, const uint8_t *digest, size_t length,
                uint8_t signature[MAX_SIGNATURE]) {
  (void)key, (void)scheme, (void)bits, (void)digest, (void)length;
  volatile size_t beyond = MAX_SIGNATURE; // hidden from the compiler
  signature[beyond] = 1;
  return MAX_SIGNATURE;
}
