// npm run demo: an enclave attests, a verifier accepts the document and refuses four forgeries of it. The enclave's
// hardware is simulated and its root is the simulator's own; the device's protocol, the documents and the verifier are
// the real ones. It ends with 0 only if every step did what it says.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { styleText } from 'node:util'
import { verifyAttestation } from '@enclavejs/attestation'
import { openNsm } from '@enclavejs/nsm'
import {
  createCertificateAuthority,
  createSimulatedNsm,
  type CertificateAuthority,
} from '@enclavejs/simulator'

const paint = (style: 'bold' | 'dim' | 'red' | 'green', text: string): string =>
  styleText(style, text, { stream: process.stdout })
const say = (text = ''): void => void process.stdout.write(`${text}\n`)

let failures = 0

function outcome(good: boolean, text: string): void {
  if (!good) failures += 1
  say(`   ${good ? paint('green', '✓') : paint('red', '✗ NOT AS EXPECTED:')} ${text}`)
}

/** An enclave that runs `image`, on an instance of its own. */
function boot(certificateAuthority: CertificateAuthority, image: string) {
  const hardware = createSimulatedNsm({ certificateAuthority, imageName: image })
  return openNsm({ transport: (request) => hardware.request(request) })
}

async function measurements(enclave: ReturnType<typeof boot>): Promise<Record<number, Uint8Array>> {
  const read = async (index: number) => (await enclave.describePcr(index)).data
  return { 0: await read(0), 1: await read(1), 2: await read(2) }
}

say(paint('bold', 'enclavejs: attest and verify, on a simulated Nitro Enclave'))
say()

say('1. A certificate authority in the shape of AWS’s, and an enclave that runs “shop-1.4”.')
const authority = await createCertificateAuthority()
await using enclave = boot(authority, 'shop-1.4')
const { moduleId, lockedPcrs } = await enclave.describeNsm()
const reference = { label: 'shop-1.4', pcrs: await measurements(enclave) }
outcome(lockedPcrs.length === 16, `${moduleId}, PCR0 to PCR15 locked at boot`)

say('2. A client sends a fresh nonce; the enclave answers with a document over it and its key.')
const nonce = randomBytes(32)
const key = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' })
const document = await enclave.attestation({ nonce, publicKey: key })
outcome(
  document.length > 3000,
  `${document.length} bytes: COSE_Sign1, ES384, five certificates inside`,
)

say('3. The client verifies it: signature, path to the root, image, nonce.')
const policy = { referenceValues: [reference], trustAnchors: [authority.trustAnchor] }
const started = performance.now()
const result = await verifyAttestation(document, { ...policy, nonce })
const milliseconds = (performance.now() - started).toFixed(1)
outcome(
  result.referenceLabel === 'shop-1.4' && Buffer.from(key).equals(result.publicKey ?? Buffer.of()),
  `accepted in ${milliseconds} ms: image ${result.referenceLabel}, and the key of the enclave is known`,
)

say('4. Four forgeries.')
await refused(
  'One bit flipped, in the key that the client would encrypt to',
  flipBit(document, Buffer.from(document).indexOf(key)),
  nonce,
  'ERR_ATTESTATION_SIGNATURE',
)
const forger = await createCertificateAuthority({ region: authority.region })
await using forged = boot(forger, 'shop-1.4')
await refused(
  'A root of the forger’s own, with the same names',
  await forged.attestation({ nonce, publicKey: key }),
  nonce,
  'ERR_ATTESTATION_TRUST_ANCHOR',
)
await using other = boot(authority, 'shop-1.4-with-a-back-door')
await refused(
  'Another image, in a genuine enclave',
  await other.attestation({ nonce, publicKey: key }),
  nonce,
  'ERR_ATTESTATION_PCR',
)
await refused(
  'A replay: the genuine document again, for the next nonce',
  document,
  randomBytes(32),
  'ERR_ATTESTATION_NONCE',
)

say()
if (failures === 0) say(paint('green', 'Accepted what is genuine, refused four forgeries.'))
else say(paint('red', `${failures} of the steps did not do what they say.`))
say(paint('dim', 'Simulated: the NSM and its root, which no verifier accepts unless told to.'))
process.exitCode = failures === 0 ? 0 : 1

async function refused(
  name: string,
  forgery: Uint8Array,
  expectedNonce: Uint8Array,
  code: string,
): Promise<void> {
  say(`   ${name}`)
  try {
    await verifyAttestation(forgery, { ...policy, nonce: expectedNonce })
    outcome(false, 'accepted')
  } catch (error) {
    const seen = (error as { code?: string }).code
    const { message } = error as Error
    outcome(seen === code, `refused, ${seen}`)
    say(paint('dim', `     ${message.length > 105 ? `${message.slice(0, 105)}…` : message}`))
  }
}

function flipBit(bytes: Uint8Array, position: number): Uint8Array {
  const copy = bytes.slice()
  copy[position] = (copy[position] as number) ^ 1
  return copy
}
