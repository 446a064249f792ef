import type { Operation } from '../slice.ts'

/** The unit of every row: one P-384 verification by WebCrypto, key imported, over `size` bytes, SHA-384 included. */
export async function createUnit(size: number): Promise<Operation> {
  const { subtle } = globalThis.crypto
  const algorithm = { name: 'ECDSA', hash: 'SHA-384' }
  const { privateKey, publicKey } = await subtle.generateKey(
    { name: 'ECDSA', namedCurve: 'P-384' },
    false,
    ['sign', 'verify'],
  )
  const data = new Uint8Array(size).fill(0x5a)
  const signature = await subtle.sign(algorithm, privateKey, data)
  return async () => {
    const good = await subtle.verify(algorithm, publicKey, signature, data)
    if (!good) throw new Error('The unit no longer verifies its own signature')
  }
}
