// One client of the KMS of `server.ts`, in a process of its own: `attested`, `more-sockets`, `single-use` (ours) or `sdk`. Prints what
// a Decrypt costs it: CPU, time alone and with 30 in flight.
import { connect as connectNet } from 'node:net'
import type { Scene } from './scene.ts'

const [mode = '', sceneText = '', milliseconds = '0'] = process.argv.slice(2)
const scene = JSON.parse(sceneText) as Scene
const IN_FLIGHT = 30
const SECRET = new TextEncoder().encode('a secret of 32 bytes for a bench')
const context = { purpose: 'bench' }

interface Client {
  decrypt(ciphertext: Uint8Array): Promise<Uint8Array>
  encrypt(plaintext: Uint8Array): Promise<Uint8Array>
  close(): void
}

/** AWS's client has up to 50 sockets. Ours has 3 unless told: no more are served by AWS's vsock-proxy. */
const SOCKETS = 16

async function ours(singleUse: boolean): Promise<Client> {
  const { createKmsClient } = await import('@enclavejs/kms-enclave')
  const { createSimulatedNsm, importCertificateAuthority } = await import('@enclavejs/simulator')
  const { openNsm } = await import('@enclavejs/nsm')
  const simulated = createSimulatedNsm({
    certificateAuthority: importCertificateAuthority(scene.authority),
    moduleId: scene.moduleId,
  })
  const nsm = openNsm({ transport: (bytes) => simulated.request(bytes) })
  const client = createKmsClient({
    keyArn: scene.keyArn,
    credentials: scene.credentials,
    roots: [scene.ca],
    singleUse,
    ...(mode === 'more-sockets' && { maxSockets: SOCKETS }),
    getEvidence: ({ publicKey }) => nsm.attestation({ publicKey }),
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = connectNet(scene.port, '127.0.0.1', () => resolve(socket))
        socket.setNoDelay(true).once('error', reject)
      }),
  })
  return {
    decrypt: async (CiphertextBlob) =>
      (await client.decrypt({ CiphertextBlob, EncryptionContext: context })).Plaintext,
    encrypt: async (Plaintext) =>
      (await client.encrypt({ Plaintext, EncryptionContext: context })).CiphertextBlob,
    close: () => void client.close(),
  }
}

async function sdk(): Promise<Client> {
  const { DecryptCommand, EncryptCommand, KMSClient } = await import('@aws-sdk/client-kms')
  const { Agent } = await import('node:https')
  const httpsAgent = new Agent({
    keepAlive: true,
    ca: scene.ca,
    servername: scene.host,
    lookup: (_host, options, found) => {
      if (options.all === true) found(null, [{ address: '127.0.0.1', family: 4 }])
      else found(null, '127.0.0.1', 4)
    },
  })
  const client = new KMSClient({
    region: scene.region,
    credentials: scene.credentials,
    endpoint: `https://${scene.host}:${scene.port}`,
    requestHandler: { httpsAgent },
  })
  const common = { KeyId: scene.keyArn, EncryptionContext: context }
  return {
    decrypt: async (CiphertextBlob) =>
      (await client.send(new DecryptCommand({ CiphertextBlob, ...common })))
        .Plaintext as Uint8Array,
    encrypt: async (Plaintext) =>
      (await client.send(new EncryptCommand({ Plaintext, ...common })))
        .CiphertextBlob as Uint8Array,
    close: () => client.destroy(),
  }
}

const client = mode === 'sdk' ? await sdk() : await ours(mode === 'single-use')
const ciphertext = await client.encrypt(SECRET)

async function call(): Promise<void> {
  const plaintext = await client.decrypt(ciphertext)
  if (Buffer.compare(plaintext, SECRET) !== 0) throw new Error('another plaintext')
}

/** Runs `lanes` calls at a time for the time of a slice. */
async function run(lanes: number): Promise<{ times: number[]; cpu: number; wall: number }> {
  const times: number[] = []
  const cpu = process.cpuUsage()
  const begin = performance.now()
  const lane = async (): Promise<void> => {
    while (performance.now() - begin < Number(milliseconds)) {
      const start = performance.now()
      await call()
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const { user, system } = process.cpuUsage(cpu)
  return { times, cpu: (user + system) / times.length, wall: performance.now() - begin }
}

for (let count = 0; count < 50; count++) await call()
await run(IN_FLIGHT)
const alone = await run(1)
const many = await run(IN_FLIGHT)
const sorted = alone.times.toSorted((a, b) => a - b)
const at = (part: number): number => sorted[Math.floor(sorted.length * part)] as number
console.log(
  JSON.stringify({
    cpu: alone.cpu,
    p50: at(0.5),
    p99: at(0.99),
    rate: many.times.length / (many.wall / 1000),
  }),
)
client.close()
process.exit(0)
