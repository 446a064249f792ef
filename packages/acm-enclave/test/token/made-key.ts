import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CertificateIssuer } from '../../../simulator/src/acm/issuer.ts'
import type { TokenKey } from '../../src/token.ts'

const CURVES = { ec: 'P-256', 'ec-384': 'P-384', 'ec-521': 'P-521' } as const
type Kind = 'rsa' | keyof typeof CURVES

/** A key for a token, with its public half. */
export interface MadeKey extends TokenKey {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly certificate: string
  readonly path: readonly string[]
}

/** An authority made for a test, and the keys that it certifies for localhost. */
export class MadeAuthority {
  readonly #issuer = new CertificateIssuer(() => new Date())

  /** Its root in PEM. */
  get root(): string {
    return this.#issuer.root
  }

  issue(kind: Kind, id: number, label = `${kind}-key`): MadeKey {
    const { publicKey, privateKey } =
      kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: CURVES[kind] })
    const { certificate, certificateChain } = this.#issuer.issue(['localhost'], publicKey)
    const path = certificateChain.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? []
    return { id: Uint8Array.of(id), label, publicKey, privateKey, certificate, path }
  }
}
