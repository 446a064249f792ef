// A secret that this enclave image alone can open: sealed under a data key of KMS, whose policy names the image's PCRs. The
// parent carries the bytes to KMS, gives the credentials, and could keep the envelope; it learns nothing.
//
// The one argument is the configuration, as JSON. It is part of the image, and so measured: the parent cannot change it.
import { connect } from '@enclavejs/vsock'
import {
  createEnclaveKmsClient,
  createVsockCredentials,
  KmsServiceError,
  openEnvelope,
  sealedEnvelope,
  type KmsClient,
} from '@enclavejs/kms-enclave'
import { explain } from '@enclavejs/kms-enclave/policy'
import { measure, openNsm } from '@enclavejs/nsm'

interface Configuration {
  readonly keyArn: string
  /** 3 on Nitro, 2 on other hypervisors. */
  readonly parentCid?: number
  /** PEM certificates in the place of Amazon's; for a simulator. */
  readonly roots?: readonly string[]
  /** Measured into PCR16 before a second attempt, where the policy asks for it. */
  readonly measured?: string
}

const {
  keyArn,
  parentCid = 3,
  roots,
  measured,
} = JSON.parse(process.argv[2] ?? '{}') as Configuration
const context = { purpose: 'kms-secret', version: '1' }
const plaintext = new TextEncoder().encode('correct horse battery staple')

function createClient(): KmsClient {
  return createEnclaveKmsClient({
    keyArn,
    ...(roots === undefined ? {} : { roots }),
    connect: (_host, _port, { signal }) =>
      connect({ cid: parentCid, port: 8000, ...(signal && { signal }) }),
    credentials: createVsockCredentials({
      connect: ({ signal }) => connect({ cid: parentCid, port: 8002, signal }),
    }),
  })
}

/** Seals and opens again; says why KMS refused where it did. */
async function attempt(name: string): Promise<boolean> {
  const client = createClient()
  try {
    const envelope = await sealedEnvelope({
      generateDataKey: (input) => client.generateDataKey(input),
      context,
      plaintext,
    })
    const opened = await openEnvelope({
      decrypt: (input) => client.decrypt(input),
      context,
      envelope,
    })
    console.log(`${name}: opened ${opened.length} bytes from an envelope of ${envelope.length}`)
    return Buffer.compare(opened, plaintext) === 0
  } catch (error) {
    if (!(error instanceof KmsServiceError) || error.kmsCode !== 'AccessDeniedException')
      throw error
    const { Policy } = await client.getKeyPolicy()
    const { sentences } = explain({
      policy: Policy,
      action: 'GenerateDataKey',
      pcrs: await ownPcrs(),
    })
    console.log(`${name}: ${error.kmsCode}`)
    for (const sentence of sentences) console.log(`  ${sentence}`)
    return false
  } finally {
    await client.close()
  }
}

async function ownPcrs(): Promise<Record<number, string>> {
  await using nsm = openNsm()
  const indices = [0, 1, 2, 3, 4, 8, 16]
  const pcrs = await Promise.all(indices.map((index) => nsm.describePcr(index)))
  return Object.fromEntries(
    indices.map((index, at) => [index, Buffer.from(pcrs[at]?.data ?? []).toString('hex')]),
  )
}

let opened = await attempt('as booted')
if (!opened && measured !== undefined) {
  await using nsm = openNsm()
  await measure(nsm, new TextEncoder().encode(measured), { pcr: 16 })
  opened = await attempt('after measuring')
}
process.exitCode = opened ? 0 : 1
