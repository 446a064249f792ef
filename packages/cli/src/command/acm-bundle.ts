import type { BundleLocation, PublishedBundle } from '@enclavejs/acm-enclave'
import { required, wrongUse } from '../acm-flags.ts'
import { loadAcmPackage } from '../acm-package.ts'
import { readAcmWay } from '../acm-way.ts'
import { numberFlag, type Arguments } from '../arguments.ts'
import { CliError } from '../error.ts'
import { readInput } from '../input-file.ts'
import { printJson } from '../output/json.ts'
import type { Terminal } from '../terminal.ts'

/** Flags of where a bundle is stored. */
export const LOCATION_FLAGS: readonly string[] = [
  ...['bucket', 'object', 'owner', 'key', 'region', 'arn', 'bundle-version'],
]

function readBundleLocation(given: Arguments): BundleLocation & { readonly version?: number } {
  const version = numberFlag(given, 'bundle-version', { least: 1, most: 1e12, unit: 'a number' })
  const [region, arn] = [given.value('region'), given.value('arn')]
  return {
    bucket: required(given, 'bucket'),
    key: required(given, 'object'),
    expectedBucketOwner: required(given, 'owner'),
    keyArn: required(given, 'key'),
    ...(region !== undefined && { region }),
    ...(arn !== undefined && { arn }),
    ...(version !== undefined && { version: Math.floor(version) }),
  }
}

function printStored(
  stored: PublishedBundle,
  given: Arguments,
  terminal: Terminal,
  as: string,
): void {
  if (given.has('json')) {
    printJson(terminal, { [as]: stored })
    return
  }
  terminal.print(`stored    s3://${stored.bucket}/${stored.key}, version ${stored.version}`)
  terminal.print(`bound to  ${stored.arn}`)
  terminal.print(`valid     until ${stored.notAfter.toISOString()}`)
}

/** `enclavejs acm publish`. */
export async function publish(given: Arguments, terminal: Terminal): Promise<void> {
  const { createCertificateRequest, ownRoleStatements, publishCertificate } = await loadAcmPackage()
  const algorithm = given.value('key-algorithm')
  const { version, ...location } = readBundleLocation(given)
  const way = await readAcmWay(given, given.has('direct'))
  // Before anybody is asked for a certificate, what will be wrong afterwards.
  wrongUse(() => ownRoleStatements(location))
  const request = await wrongUse(() =>
    createCertificateRequest({
      hostNames: given.values('host'),
      ...(algorithm !== undefined && { keyAlgorithm: algorithm as 'RSA_2048' }),
    }),
  )
  if (given.has('json')) printJson(terminal, { request: request.pem })
  else terminal.print(request.pem.trimEnd())
  terminal.warn('the certificate, leaf and then issuers, PEM, on stdin:')
  const issued = await readIssued()
  const stored = await wrongUse(() =>
    publishCertificate(request, issued, {
      ...{ ...location, ...way },
      ...(version !== undefined && { version }),
    }),
  )
  printStored(stored, given, terminal, 'published')
}

/** `enclavejs acm import`. */
export async function importCertificate(given: Arguments, terminal: Terminal): Promise<void> {
  const { importExportableCertificate } = await loadAcmPackage()
  const certificateArn = required(given, 'certificate')
  const location = readBundleLocation(given)
  const way = await readAcmWay(given, given.has('direct'))
  const stored = await wrongUse(() =>
    importExportableCertificate({ certificateArn, ...location, ...way }),
  )
  printStored(stored, given, terminal, 'imported')
  terminal.warn(
    'this key was outside of the enclave: whoever may call acm:ExportCertificate has it',
  )
}

async function readIssued(): Promise<{ certificate: string; certificateChain: string }> {
  const bytes = await readInput('-')
  const text = Buffer.from(bytes ?? []).toString('latin1')
  const [certificate = '', ...issuers] = text
    .split(/(?<=-----END CERTIFICATE-----)/)
    .filter((part) => part.includes('-----BEGIN CERTIFICATE-----'))
  if (certificate !== '') return { certificate, certificateChain: issuers.join('\n') }
  throw new CliError('ERR_CLI_FILE', 'stdin: a certificate in PEM expected; nothing was stored')
}
