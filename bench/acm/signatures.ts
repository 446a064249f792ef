// Signatures a second at the enclave's door, beside what node:crypto signs on its threads, two at a time. The clients are
// those of a relay, 16 signatures under way; the token is a process of its own, and the raw rate is another's. In turn;
// the median of the ratios counts.
import { createHash, verify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { CKA, CKO } from '../../packages/acm-enclave/src/token/cryptoki.ts'
import { EnclavePool } from '../../packages/acm-enclave/src/token/enclave-pool.ts'
import type { Row } from '../row.ts'
import { median, readBudget } from '../slice.ts'
import { CLIENTS } from './load.ts'
import { PIN } from './ours.ts'
import { Stand, type Kind } from './stand.ts'

const MESSAGE = new TextEncoder().encode('the transcript of a handshake')
const NAMES = { rsa: 'signatures', ec: 'signatures-ec' } as const

export async function signatures(kind: Kind): Promise<Row> {
  const stand = new Stand()
  try {
    stand.issue(kind)
    const [socket, key, certificate] = ['sock', 'key.pem', 'certificate.pem'].map((name) =>
      stand.path(name),
    ) as [string, string, string]
    stand.node(new URL('./token.ts', import.meta.url), socket, key, certificate, PIN)
    const raw = stand.node(new URL('./raw-signatures.ts', import.meta.url), key)
    const answers = createInterface(raw.stdout as NonNullable<typeof raw.stdout>)
    await stand.untilFile('sock')
    const signer = new Signer(socket, kind, new X509Certificate(readFileSync(certificate)))
    await signer.open()
    const { milliseconds, slices } = readBudget()
    const slice = milliseconds * 3
    const rawRate = async (): Promise<number> => {
      const line = once(answers, 'line')
      raw.stdin?.write(`${slice}\n`)
      return Number((await line)[0])
    }
    const ownRate = (): Promise<number> => signer.rate(slice)
    for (const one of [rawRate, ownRate, ownRate, ownRate]) await one()
    const rounds: { own: number; raw: number }[] = []
    for (let count = 0; count < Math.ceil(slices / 2); count++) {
      const before = await rawRate()
      const own = await ownRate()
      rounds.push({ own, raw: (before + (await rawRate())) / 2 })
    }
    signer.close()
    const ratios = rounds.map((round) => round.own / round.raw).toSorted((a, b) => a - b)
    const [own, other] = [rounds.map((one) => one.own), rounds.map((one) => one.raw)].map(median)
    const spread = `${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)} in ${rounds.length} rounds`
    return {
      ...{ row: NAMES[kind], value: median(ratios), unit: "of node:crypto's, two at a time" },
      note: `${own?.toFixed(0)}/s against ${other?.toFixed(0)}/s; ${spread}`,
    }
  } finally {
    await stand.close()
  }
}

/** What a relay has towards an enclave. */
class Signer {
  readonly #pool: EnclavePool
  readonly #certificate: X509Certificate
  readonly #scheme: 'pkcs1' | 'ecdsa'
  #identity = ''

  constructor(socket: string, kind: Kind, certificate: X509Certificate) {
    this.#certificate = certificate
    this.#scheme = kind === 'rsa' ? 'pkcs1' : 'ecdsa'
    this.#pool = new EnclavePool({ connect: () => connect(socket), pin: PIN }, (objects) => {
      const isKey = (one: (typeof objects)[number]): boolean =>
        one.attributes.get(CKA.CLASS) === CKO.PRIVATE_KEY
      this.#identity = objects.find(isKey)?.identity ?? ''
    })
  }

  async open(): Promise<void> {
    await this.#pool.refresh()
    const key = this.#certificate.publicKey
    const signature = await this.#sign()
    const given = { key, dsaEncoding: 'ieee-p1363' as const }
    if (!verify('sha256', MESSAGE, given, signature)) throw new Error('no signature of the key')
  }

  async #sign(): Promise<Uint8Array> {
    const digest = new Uint8Array(createHash('sha256').update(MESSAGE).digest())
    const input = { scheme: this.#scheme, hash: 'sha256' as const, digest }
    const signature = await this.#pool.sign(this.#identity, input)
    if (signature === undefined) throw new Error('the token has no key')
    return signature
  }

  async rate(milliseconds: number): Promise<number> {
    const begin = performance.now()
    let count = 0
    const one = async (): Promise<void> => {
      while (performance.now() - begin < milliseconds) {
        await this.#sign()
        count++
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, one))
    return (count / (performance.now() - begin)) * 1000
  }

  close(): void {
    this.#pool.close()
  }
}
