import type { KmsClient } from '@enclavejs/kms-enclave'
import type { ReferenceValues } from '@enclavejs/kms-enclave/policy'
import type { Arguments } from './arguments.ts'
import { Exit } from './command.ts'
import { usage } from './error.ts'
import { loadKmsPackage } from './kms-package.ts'
import { loadKmsPolicy } from './kms-policy-package.ts'
import { loadNsmPackage } from './nsm-package.ts'
import { hex, printJson } from './output/json.ts'
import { escapeText } from './output/printable.ts'
import { readReferenceFile } from './reference-file.ts'
import type { Terminal } from './terminal.ts'

/** `enclavejs kms check-policy`. */
export async function checkPolicy(
  client: KmsClient,
  given: Arguments,
  terminal: Terminal,
): Promise<number> {
  const images = await references(given)
  const enclaveRoles = given.values('role')
  const administrators = given.values('administrator')
  if (images.length === 0) throw usage('--reference FILE is missing')
  if (enclaveRoles.length === 0) throw usage('--role ARN is missing')
  if (given.has('locked') === given.has('replaceable')) {
    throw usage('--locked or --replaceable must be said')
  }
  const { verifyKeyPolicyOf } = await loadKmsPackage()
  const expected = {
    images,
    enclaveRoles,
    administrators,
    encrypters: given.values('encrypter'),
    locked: given.has('locked'),
    allowDebugMode: given.has('allow-debug-mode'),
    allowMultiRegion: given.has('allow-multi-region'),
  }
  const verified = await verifyKeyPolicyOf(client, expected).catch((error: unknown) => {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    throw usage(error.message, { cause: error })
  })
  if (given.has('json')) {
    printJson(terminal, verified)
    return Exit.ACCEPTED
  }
  terminal.print('verified')
  terminal.print(`  key      ${verified.keyArn}`)
  terminal.print(`  at       ${verified.at.toISOString()}`)
  terminal.print(
    `  locked   ${verified.locked ? 'yes: it stays so' : 'no: administrators can replace the policy'}`,
  )
  terminal.print(`  grants   ${verified.grants}`)
  for (const { action, images: labels, principals } of verified.access) {
    terminal.print(
      `  ${action}: ${labels.map(escapeText).join(', ')} with ${principals.map(escapeText).join(', ')}`,
    )
  }
  return Exit.ACCEPTED
}

/** `enclavejs kms explain`. */
export async function explainDenial(
  client: KmsClient,
  given: Arguments,
  terminal: Terminal,
): Promise<number> {
  const [roleArn, second] = given.values('role')
  if (second !== undefined) throw usage('--role: one expected, several given')
  const pcrs = await ownPcrs(given)
  const { explain } = await loadKmsPolicy()
  const { Policy: policy } = await client.getKeyPolicy()
  const { keyArn } = client
  const explanation = explain({
    policy,
    keyArn,
    action: given.value('action') ?? 'Decrypt',
    ...(pcrs !== undefined && { pcrs }),
    ...(roleArn !== undefined && { roleArn }),
  })
  const { verdict, sentences } = explanation
  if (given.has('json')) printJson(terminal, explanation)
  else {
    terminal.print(verdict)
    for (const sentence of sentences) terminal.print(`  ${escapeText(sentence)}`)
  }
  return verdict === 'allowed' ? Exit.ACCEPTED : Exit.REFUSED
}

/** What a document of this enclave says: the PCRs that are locked. */
async function ownPcrs(
  given: Arguments,
): Promise<ReadonlyMap<number, Uint8Array> | ReferenceValues['pcrs'] | undefined> {
  const [set, second] = await references(given)
  if (given.has('unattested')) {
    if (set !== undefined) throw usage('--reference and --unattested contradict')
    return undefined
  }
  if (second !== undefined) throw usage('--reference: one image expected, several given')
  if (set !== undefined) return set.pcrs
  const { openNsm } = await loadNsmPackage()
  await using nsm = openNsm()
  const pcrs = new Map<number, Uint8Array>()
  for (const index of (await nsm.describeNsm()).lockedPcrs) {
    pcrs.set(index, (await nsm.describePcr(index)).data)
  }
  return pcrs
}

async function references(given: Arguments): Promise<readonly ReferenceValues[]> {
  const files = await Promise.all(given.values('reference').map((file) => readReferenceFile(file)))
  return files.flat().map(({ pcrs, label }) => ({
    ...(label !== undefined && { label }),
    pcrs: Object.fromEntries(
      Object.entries(pcrs as Record<string, string | Uint8Array>).map(([index, value]) => [
        `PCR${index.replace('PCR', '')}`,
        typeof value === 'string' ? value : hex(value),
      ]),
    ),
  }))
}
