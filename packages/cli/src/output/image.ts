import type { EifDescription } from '@enclavejs/eif'
import type { Terminal } from '../terminal.ts'

/** The fields of `nitro-cli describe-eif`, given as its text, and everything else. Times are ISO 8601, bytes are hex. */
export function imageToJson(text: string, description: EifDescription): object {
  const { header, signature, ...rest } = description
  const certificate = signature?.certificate
  return {
    ...(JSON.parse(text) as object),
    ...rest,
    header: {
      ...header,
      defaultMemory: Number(header.defaultMemory),
      defaultCpus: Number(header.defaultCpus),
      crc32: header.crc32.toString(16).padStart(8, '0'),
    },
    signature: signature && {
      check: signature.check,
      algorithm: signature.algorithm,
      certificate: certificate && {
        issuer: Object.fromEntries(certificate.issuer),
        notBefore: certificate.notBefore.toISOString(),
        notAfter: certificate.notAfter.toISOString(),
        der: Buffer.from(certificate.der).toString('hex'),
      },
    },
  }
}

/** Warnings on stderr, one a line. */
export function warnFindings(
  terminal: Terminal,
  { warnings, sequentialWalk }: EifDescription,
): void {
  for (const { code, message } of warnings) terminal.warn(`warning: ${code}: ${message}`)
  if (sequentialWalk !== undefined && 'pcrs' in sequentialWalk) {
    for (const [pcr, value] of Object.entries(sequentialWalk.pcrs)) {
      terminal.warn(`nitro-cli describe-eif computes PCR${pcr} ${value}`)
    }
  }
}
