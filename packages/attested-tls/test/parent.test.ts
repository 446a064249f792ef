// A parent in the middle of attested TLS: it carries every byte, ends TLS with keys of its own or with one that it stole, asks the
// genuine enclave for whatever it likes, and keeps every document it ever saw.
import { randomBytes, X509Certificate } from 'node:crypto'
import { createServer as createHttpsServer, get, type Server } from 'node:https'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AttestedAgent, createAttestedFetch } from '../src/client.ts'
import { ATTESTATION_PATH, SEALED_HTTP_PURPOSE } from '../src/index.ts'
import { makeCertificate } from './certificate.ts'
import { Attester, listen, openEnclave, outcome, type Enclave } from './enclave.ts'

const DOCUMENT_TYPE = 'application/cose; cose-type="cose-sign1"'
const SECRET = 'a secret of the application'

const enclaveKey = makeCertificate('enclave.example', 'ec')
const parentKey = makeCertificate('enclave.example', 'ec')
let attester: Attester
/** Its key is in a file, as one that can be stolen. */
let enclave: Enclave
/** The same program in another image. */
let other: Enclave

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({ getEvidence: attester.evidence(), certificate: enclaveKey })
  other = await openEnclave({ getEvidence: attester.evidence(2) })
})
afterAll(async () => {
  await enclave[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})
beforeEach(() => {
  attester.asked.length = 0
  enclave.requests.length = 0
})

/** Asks the genuine enclave as anybody can. */
function askEnclave(path: string): Promise<Uint8Array> {
  const options = { rejectUnauthorized: false, headers: { host: 'enclave.example' } }
  return new Promise((resolve, reject) => {
    get(`${enclave.url}${path}`, options, (response) => {
      buffer(response).then((bytes) => resolve(new Uint8Array(bytes)), reject)
    }).on('error', reject)
  })
}

/** A parent that ends TLS, answers the client's path with `document`, and keeps what else it is told. */
class Parent implements AsyncDisposable {
  readonly told: string[] = []
  readonly #server: Server
  url = ''

  constructor(key: { key: string; cert: string }, document: (path: string) => Promise<Uint8Array>) {
    this.#server = createHttpsServer({ key: key.key, cert: key.cert }, (request, response) => {
      if (request.url?.startsWith(ATTESTATION_PATH) !== true) {
        void buffer(request).then((body) => this.told.push(String(body)))
        response.end('from the parent')
        return
      }
      document(request.url).then(
        (bytes) => {
          response.setHeader('content-type', DOCUMENT_TYPE)
          response.setHeader('content-length', bytes.length)
          response.end(bytes)
        },
        () => response.destroy(),
      )
    })
  }

  async start(): Promise<this> {
    this.url = `https://127.0.0.1:${await listen(this.#server)}`
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** What the clients of both kinds make of a parent, which must be the same; and the parent is told nothing. */
async function verdict(parent: Parent): Promise<string> {
  await using fetch = createAttestedFetch(attester.policy())
  const byFetch = await outcome(() => fetch(parent.url, { method: 'POST', body: SECRET }))
  const agent = new AttestedAgent(attester.policy())
  const byAgent = await outcome(
    () =>
      new Promise((resolve, reject) => {
        get(parent.url, { agent, headers: { cookie: SECRET } }, resolve).on('error', reject)
      }),
  )
  agent.destroy()
  expect(byAgent).toBe(byFetch)
  expect(parent.told).toEqual([])
  return byFetch
}

const nonceOf = (path: string): Uint8Array =>
  new Uint8Array(Buffer.from(path.split('nonce=')[1] ?? '', 'base64url'))

describe('a parent that', () => {
  it('carries bytes and no more is not noticed', async () => {
    const relay = createServer((near) => {
      const far = connectTcp(enclave.port, '127.0.0.1')
      near.pipe(far).pipe(near)
      for (const end of [near, far]) end.on('error', () => undefined)
    })
    const port = await listen(relay)
    await using fetch = createAttestedFetch(attester.policy())
    const response = await fetch(`https://127.0.0.1:${port}/`)
    expect(await response.text()).toBe('from the enclave')
    await fetch.close()
    relay.close()
  })

  it('ends TLS with its own key and passes on the genuine document is refused', async () => {
    await using parent = await new Parent(parentKey, askEnclave).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_KEY')
    // It was genuine, and for this very nonce.
    expect(attester.asked).toHaveLength(2)
  })

  it('has stolen the key of the enclave and passes on the genuine document is refused', async () => {
    await using parent = await new Parent(enclaveKey, askEnclave).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_CHANNEL_BINDING')
  })

  it('answers with the document of an earlier connection is refused', async () => {
    const nonce = randomBytes(32).toString('base64url')
    const kept = await askEnclave(`${ATTESTATION_PATH}?nonce=${nonce}`)
    await using parent = await new Parent(enclaveKey, async () => kept).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_EVIDENCE')
  })

  it('answers a second client as it answered the first is refused: no nonce is used twice', async () => {
    const first: string[] = []
    const document = (path: string): Promise<Uint8Array> => {
      first.push(path)
      return askEnclave(first[0] as string)
    }
    await using parent = await new Parent(enclaveKey, document).start()
    await using fetch = createAttestedFetch(attester.policy())
    const binding = 'ERR_ATTESTED_TLS_CHANNEL_BINDING'
    expect(await outcome(() => fetch(parent.url))).toBe(binding)
    await expect(fetch(parent.url)).rejects.toMatchObject({
      cause: { code: 'ERR_ATTESTED_TLS_EVIDENCE', cause: { code: 'ERR_ATTESTATION_NONCE' } },
    })
    expect(new Set(first)).toHaveLength(2)
  })

  it('leads to the same program in another image is refused', async () => {
    await using fetch = createAttestedFetch(attester.policy())
    await expect(fetch(`${other.url}/`)).rejects.toMatchObject({
      cause: { code: 'ERR_ATTESTED_TLS_EVIDENCE', cause: { code: 'ERR_ATTESTATION_PCR' } },
    })
    expect(other.requests).toEqual([])
  })

  it.each([
    ['for the HPKE key', new TextEncoder().encode(SEALED_HTTP_PURPOSE)],
    ['for nothing', undefined],
    ['for what begins alike', new TextEncoder().encode('enclavejs:attested-tls:v1')],
    [
      'for what comes later',
      new TextEncoder().encode(`enclavejs:attested-tls:v2\0${'x'.repeat(32)}`),
    ],
  ])('has a document %s, over its key and the nonce, is refused', async (_what, userData) => {
    const publicKey = spkiOf(parentKey.cert)
    const document = async (path: string): Promise<Uint8Array> =>
      attester.issue({ publicKey, nonce: nonceOf(path), ...(userData && { userData }) })
    await using parent = await new Parent(parentKey, document).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_PURPOSE')
  })

  it('has a document without a key is refused', async () => {
    const userData = new TextEncoder().encode(`enclavejs:attested-tls:v1\0${'x'.repeat(32)}`)
    const document = async (path: string): Promise<Uint8Array> =>
      attester.issue({ nonce: nonceOf(path), userData })
    await using parent = await new Parent(parentKey, document).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_KEY')
  })

  it('signs documents under an authority of its own is refused', async () => {
    const own = await Attester.open()
    const document = async (path: string): Promise<Uint8Array> =>
      own.issue({ publicKey: spkiOf(parentKey.cert), nonce: nonceOf(path) })
    await using parent = await new Parent(parentKey, document).start()
    expect(await verdict(parent)).toBe('ERR_ATTESTED_TLS_EVIDENCE')
  })

  it('lets the attestation pass and then takes over cannot: TLS breaks', async () => {
    let near: Socket | undefined
    const relay = createServer((socket) => {
      near = socket
      const far = connectTcp(enclave.port, '127.0.0.1')
      socket.pipe(far).pipe(socket)
      for (const end of [socket, far]) end.on('error', () => undefined)
    })
    const port = await listen(relay)
    const onAttested = (): void => void near?.unpipe().write(Buffer.alloc(64))
    await using fetch = createAttestedFetch({ ...attester.policy(), onAttested })
    const url = `https://127.0.0.1:${port}/`
    expect(await outcome(() => fetch(url))).toBe('ERR_SSL_BAD_RECORD_TYPE')
    expect(enclave.requests).toEqual([])
    relay.close()
  })
})

it('an enclave that is asked by a stranger proves its own connection, and no other', async () => {
  const socket = connectTls({ host: '127.0.0.1', port: enclave.port, rejectUnauthorized: false })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  const own = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  const nonce = randomBytes(16).toString('base64url')
  socket.write(`GET ${ATTESTATION_PATH}?nonce=${nonce} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  expect(Buffer.from(attester.asked[0]?.userData ?? []).subarray(-32)).toEqual(own)
  socket.destroy()
})

function spkiOf(pem: string): Uint8Array {
  const { publicKey } = new X509Certificate(pem)
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
}
