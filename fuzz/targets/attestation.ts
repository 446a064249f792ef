import {
  AttestationError,
  decodeAttestationDocument,
  verifyArchivedAttestation,
  type Subtle,
  type VerifyArchivedAttestationOptions,
} from '@enclavejs/attestation'
import { LawBroken, type FuzzTarget } from '../target.ts'
import { madeDocuments, realDocuments } from './seeds.ts'

/** Of the inputs that decode, one in so many is verified in earnest: five signatures each. */
const VERIFY_EVERY = 400

/** Takes every key and every signature, so that the rules of path and policy behind them are reached. */
const TRUSTING: Subtle = {
  importKey: () => Promise.resolve({}),
  verify: () => Promise.resolve(true),
  digest: () => Promise.resolve(new ArrayBuffer(32)),
}

const POLICIES: readonly Omit<VerifyArchivedAttestationOptions, 'at'>[] = [
  { acceptAnyImage: true, allowDebugMode: true },
  { acceptAnyImage: true, nonce: new Uint8Array(20), userData: new Uint8Array(0) },
  {
    referenceValues: [
      { label: 'image', pcrs: { 0: '01'.repeat(48), 1: '02'.repeat(48), 2: '03'.repeat(48) } },
      { label: 'signer', pcrs: { 8: '09'.repeat(48), 3: '04'.repeat(48) } },
    ],
    allowDebugMode: true,
    maxAge: 60,
  },
]

const genuine: Uint8Array[] = []
const trustAnchors: Uint8Array[] = []
let decoded = 0

/** The code of a refusal. Any other error than the package's goes through. */
function codeOf(error: unknown): string {
  if (!(error instanceof AttestationError)) throw error
  if (!/^ERR_ATTESTATION_[A-Z_0-9]+$/.test(error.code)) throw new LawBroken(`code ${error.code}`)
  // Whatever a document says, it cannot forge a line of a log.
  if (!/^[ -~‖§]*$/.test(error.message)) {
    throw new LawBroken(`message ${JSON.stringify(error.message)}`)
  }
  return error.code
}

/** Genuine, tag 18 or none in front. */
function isGenuine(input: Uint8Array): boolean {
  const message = input[0] === 0xd2 ? input.subarray(1) : input
  return genuine.some(
    (one) => Buffer.compare(one[0] === 0xd2 ? one.subarray(1) : one, message) === 0,
  )
}

function run(input: Uint8Array): Promise<void> | undefined {
  try {
    decodeAttestationDocument(input)
  } catch (error) {
    codeOf(error)
    return undefined
  }
  decoded++
  return decoded % VERIFY_EVERY === 0 ? verifyInEarnest(input) : verifyTrusting(input)
}

/** Every rule but the signatures. Which policy, and which time, the document's own bytes tell. */
async function verifyTrusting(input: Uint8Array): Promise<void> {
  const policy = POLICIES[input.length % POLICIES.length] as (typeof POLICIES)[number]
  const early = (input[input.length >> 1] as number) < 64
  const at = early ? new Date('2026-03-01T13:00:00Z') : 'document'
  try {
    await verifyArchivedAttestation(input, { ...policy, trustAnchors, at, subtle: TRUSTING })
  } catch (error) {
    codeOf(error)
  }
}

async function verifyInEarnest(input: Uint8Array): Promise<void> {
  try {
    await verifyArchivedAttestation(input, {
      acceptAnyImage: true,
      allowDebugMode: true,
      trustAnchors,
      at: 'document',
    })
  } catch (error) {
    codeOf(error)
    return
  }
  if (!isGenuine(input)) throw new LawBroken('an altered document verifies')
}

export const target: FuzzTarget = {
  format: 'cbor',
  maxLength: 17_000,
  dictionary: [
    ...[
      '44a1013822',
      'a0',
      'a10126',
      'd2',
      'd28444a1013822a0',
      'f6',
      '40',
      'bf',
      'ff',
      'a9',
      '8444',
    ],
    ...['66534841333834', '6a7075626c69635f6b6579', '69757365725f64617461', '656e6f6e6365'],
    ...['6d6e6974726f74706d5f70637273', '6470637273', '696d6f64756c655f6964', '66646967657374'],
    ...['6974696d657374616d70', '6b6365727469666963617465', '68636162756e646c65', '181f', '1820'],
    ...[
      '1b0000019a00000000',
      '1bffffffffffffffff',
      '5830',
      '590400',
      '590401',
      '5860',
      '5861',
      '00',
    ],
    ...[
      '0101ff',
      '020100',
      '030206c0',
      '03020106',
      '0603551d1e',
      '0603551d24',
      '0603551d36',
      '0500',
    ],
    ...['170d3139313032383133323830355a', '180f32303530303130313030303030305a', '3000', '2a0304'],
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  seeds() {
    const [made, real] = [madeDocuments(), realDocuments()]
    genuine.push(...made, ...real)
    // Their roots: the simulator's and, where there are real documents, AWS's.
    for (const [document] of [made, real]) {
      if (document) trustAnchors.push(decodeAttestationDocument(document).cabundle[0] as Uint8Array)
    }
    return genuine
  },
  run,
}
