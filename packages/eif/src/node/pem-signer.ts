import { createPrivateKey, sign as signBytes, type KeyObject } from 'node:crypto'
import { EifError } from '../error.ts'
import type { EifSigner } from '../signer.ts'

/**
 * A signer with a key in PEM (PKCS#8 or SEC1, not encrypted), as `nitro-cli build-enclave --private-key` takes it. Keep
 * such a key off the instances that run enclaves; a KMS key is safer, as a function of your own.
 *
 * ```ts
 * import { readFile } from 'node:fs/promises'
 * import { pemSigner } from '@enclavejs/eif/node'
 *
 * export const signer = pemSigner({
 *   certificate: await readFile('certificate.pem', 'utf8'),
 *   privateKey: await readFile('key.pem', 'utf8'),
 * })
 * ```
 *
 * @throws {EifError} `ERR_EIF_SIGNER` when the key cannot be read or is no ECDSA key.
 */
export function pemSigner(options: {
  readonly certificate: string | Uint8Array
  readonly privateKey: string
}): EifSigner {
  const { certificate, privateKey } = options
  let key: KeyObject
  try {
    key = createPrivateKey(privateKey)
  } catch (cause) {
    throw new EifError('ERR_EIF_SIGNER', 'privateKey is not a PEM key that can be read', { cause })
  }
  if (key.asymmetricKeyType !== 'ec') {
    throw new EifError('ERR_EIF_SIGNER', 'privateKey must be an ECDSA key')
  }
  return {
    certificate,
    format: 'p1363',
    async sign({ message, hash }) {
      const name = hash.replace('-', '').toLowerCase()
      return new Uint8Array(signBytes(name, message, { key, dsaEncoding: 'ieee-p1363' }))
    },
  }
}
