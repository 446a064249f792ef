import { randomBytes } from 'node:crypto'
import { decodeAttestationDocument, verifyAttestation } from '@enclavejs/attestation'
import { connect, MessageClient } from '@enclavejs/vsock'
import { LauncherError } from './error.ts'
import type { Machine } from './machine.ts'

/** On what grounds an enclave was let in. */
export interface Admission {
  /**
   * `attestation`: a document that the NSM signed over a fresh nonce. `unsigned-document`: QEMU's, which nothing signs. `file`:
   * what nitro-cli computed of the file that it loaded. `none`: nothing was compared.
   */
  readonly by: 'attestation' | 'unsigned-document' | 'file' | 'none'
  /** The PCRs that were compared with the image's, and equal. */
  readonly pcrs: readonly number[]
  /** What that proves, and to whom, in a sentence. */
  readonly proven: string
  /** What it does not. */
  readonly notProven: string
}

/** What is known of the image that ought to run. */
export interface Expectation {
  /** In hex; undefined for a program. */
  readonly pcrs: Readonly<Record<string, string>> | undefined
  readonly trustAnchors: readonly Uint8Array[] | undefined
  readonly timeout: number
}

const OTHERS =
  'clients must verify a document themselves: they have no reason to believe this machine'

/** Compares what nitro-cli says of the file that it loaded, where it says it. */
export function admitByFile(machine: Machine, expected: Expectation): Admission {
  const { fileMeasurements } = machine
  if (machine.backend === 'simulator') {
    return none('nothing: no image was measured, and the simulator protects nothing')
  }
  if (fileMeasurements === undefined || expected.pcrs === undefined) {
    return none(`which image runs was not asked; ${OTHERS}`)
  }
  const pcrs = compare(fileMeasurements, expected.pcrs, 'the file that nitro-cli loaded')
  return {
    ...{ by: 'file', pcrs },
    proven: 'nitro-cli loaded the file that was measured here',
    notProven: `what the hypervisor measured: only a document of the enclave says that; ${OTHERS}`,
  }
}

/**
 * Asks the enclave for a document over a nonce, at a port where it answers messages, and compares its PCRs with the image's.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_ATTESTATION`, `ERR_LAUNCHER_MEASUREMENT`
 */
export async function admitByDocument(
  machine: Machine,
  port: number,
  expected: Expectation,
): Promise<Admission> {
  const nonce = new Uint8Array(randomBytes(32))
  const document = await ask(machine, port, nonce, expected.timeout)
  if (machine.backend === 'qemu' && expected.trustAnchors === undefined) {
    return admitUnsigned(document, nonce, expected)
  }
  const claimed = decode(document)
  if (machine.debugMode || expected.pcrs === undefined) {
    // PCR0, 1 and 2 of a debug enclave are zero, those of the simulator its own: there is nothing to compare.
    await verify(document, nonce, expected, { acceptAnyImage: true, allowDebugMode: true })
    return none(
      `${machine.debugMode ? 'debug mode: its PCRs are zero, and its console shows what it prints' : 'no image was measured, and the simulator protects nothing'}; a document over a fresh nonce was verified, and says nothing about an image`,
    )
  }
  const wanted = expected.pcrs
  const seen = Object.fromEntries(
    Object.keys(wanted).map((index) => [index, hex(claimed.pcrs.get(Number(index)))]),
  )
  const referenceValues = { label: 'image', pcrs: wanted as Record<number, string> }
  const pcrs = compare(seen, wanted, 'the enclave, by its document,')
  await verify(document, nonce, expected, { referenceValues })
  return {
    ...{ by: 'attestation', pcrs },
    proven:
      'a machine with this image signed this fresh document: by its NSM, under the root that was trusted',
    notProven: `that the machine is the one that answers at this CID, to anyone but its parent; ${OTHERS}`,
  }
}

function admitUnsigned(document: Uint8Array, nonce: Uint8Array, expected: Expectation): Admission {
  const claimed = decode(document)
  if (claimed.nonce === null || Buffer.compare(claimed.nonce, nonce) !== 0) {
    throw new LauncherError('ERR_LAUNCHER_ATTESTATION', 'the document is not over the nonce')
  }
  const seen = Object.fromEntries([...claimed.pcrs].map(([index, value]) => [index, hex(value)]))
  const pcrs = compare(seen, expected.pcrs ?? {}, "QEMU's machine")
  return {
    ...{ by: 'unsigned-document', pcrs },
    proven: 'nothing by signature; the enclave says that QEMU measured this image',
    notProven: 'everything else: QEMU protects nothing from this machine, and signs nothing',
  }
}

type Verify = Parameters<typeof verifyAttestation>[1]

async function verify(
  document: Uint8Array,
  nonce: Uint8Array,
  { trustAnchors }: Expectation,
  policy: Verify,
): Promise<void> {
  try {
    await verifyAttestation(document, { ...policy, nonce, ...(trustAnchors && { trustAnchors }) })
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    const text = `the enclave's document is refused: ${code} ${message}`
    throw new LauncherError('ERR_LAUNCHER_ATTESTATION', text, { cause })
  }
}

function decode(document: Uint8Array): ReturnType<typeof decodeAttestationDocument> {
  try {
    return decodeAttestationDocument(document)
  } catch (cause) {
    const message = 'what the enclave gave is no attestation document'
    throw new LauncherError('ERR_LAUNCHER_ATTESTATION', message, { cause })
  }
}

async function ask(
  { vsock }: Machine,
  port: number,
  nonce: Uint8Array,
  timeout: number,
): Promise<Uint8Array> {
  await using client = new MessageClient({
    connect: ({ signal }) => connect({ ...vsock, port, signal }),
    ...{ maxMessageLength: 16_384, deadline: timeout },
  })
  try {
    return await client.request(nonce)
  } catch (cause) {
    const message = `vsock port ${port} gave no document for a nonce: ${(cause as Error).message}`
    throw new LauncherError('ERR_LAUNCHER_ATTESTATION', message, { cause })
  }
}

function compare(
  seen: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  who: string,
): number[] {
  for (const [index, value] of Object.entries(wanted)) {
    if (seen[index] === value) continue
    throw new LauncherError(
      'ERR_LAUNCHER_MEASUREMENT',
      `${who} has PCR${index} ${seen[index] ?? 'none'}, and the image that was asked for ${value}: nothing was let in`,
    )
  }
  return Object.keys(wanted).map(Number)
}

function none(notProven: string): Admission {
  return { by: 'none', pcrs: [], proven: 'nothing', notProven }
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex')
}
