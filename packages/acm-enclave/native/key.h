// A private key and one operation on it, through the OpenSSL that the node binary carries and exports.
#ifndef ENCLAVEJS_ACM_KEY_H
#define ENCLAVEJS_ACM_KEY_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

enum scheme { SCHEME_PKCS1 = 0, SCHEME_PSS = 1, SCHEME_ECDSA = 2 };

#define MAX_DIGEST 64
#define MAX_SIGNATURE 1024 // RSA-8192

// PKCS #8 or traditional DER. NULL when OpenSSL does not read it as one key.
EVP_PKEY *key_load(const uint8_t *der, size_t length);

// Signs a digest that is made already. `bits` names its hash (256, 384, 512): PKCS #1 v1.5 puts it into the DigestInfo,
// PSS uses it for MGF1 and as the length of the salt; ECDSA does not look at it and gives r and s, each as long as the
// order of the group. Returns the length of the signature, 0 on failure.
size_t key_sign(EVP_PKEY *key, enum scheme scheme, int bits, const uint8_t *digest, size_t length,
                uint8_t signature[MAX_SIGNATURE]);

#endif
