import type { webcrypto } from 'node:crypto'
import type { Operation } from '../slice.ts'

type CryptoKey = webcrypto.CryptoKey

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

/**
 * The floor of `cold`: five verifications at once, four of them under keys that were just imported, and nothing else. A
 * key's first use costs more than its later ones, which the unit does not show.
 */
export async function createColdFloor(size: number): Promise<Operation> {
  const { subtle } = globalThis.crypto
  const algorithm = { name: 'ECDSA', hash: 'SHA-384' }
  const curve = { name: 'ECDSA', namedCurve: 'P-384' }
  const { privateKey, publicKey } = await subtle.generateKey(curve, true, ['sign', 'verify'])
  const spki = await subtle.exportKey('spki', publicKey)
  const data = new Uint8Array(size).fill(0x5a)
  const certificate = data.subarray(0, 600)
  const signatures = {
    document: await subtle.sign(algorithm, privateKey, data),
    certificate: await subtle.sign(algorithm, privateKey, certificate),
  }
  return async () => {
    const fresh = (): Promise<CryptoKey> => subtle.importKey('spki', spki, curve, false, ['verify'])
    const [regional, zonal, instance, leaf] = [
      await fresh(),
      await fresh(),
      await fresh(),
      await fresh(),
    ]
    const certificates = [publicKey, regional, zonal, instance].map((key) =>
      subtle.verify(algorithm, key, signatures.certificate, certificate),
    )
    const document = subtle.verify(algorithm, leaf, signatures.document, data)
    const good = await Promise.all([...certificates, document])
    if (good.includes(false)) throw new Error('The floor no longer verifies its own signatures')
  }
}
