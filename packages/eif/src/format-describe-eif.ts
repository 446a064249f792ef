import { toHex } from './bytes.ts'
import type { EifDescription } from './describe.ts'
import type { Json } from './metadata.ts'
import type { SigningCertificate } from './signing-certificate.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * The text that `nitro-cli describe-eif` prints for this image, field by field, without a newline at the end. Where the
 * two walks differ, the PCRs here are those that the hypervisor measures.
 *
 * `ImageName`, `ImageVersion` and `Metadata` are left out where the metadata lacks a field that nitro-cli insists on;
 * nitro-cli refuses such an image.
 *
 * @see aws-nitro-enclaves-cli, `EifDescribeInfo`
 */
export function formatDescribeEif(description: EifDescription): string {
  const { header, pcrs, signature, metadata } = description
  const measurements: Record<string, string> = {
    HashAlgorithm: 'Sha384 { ... }',
    PCR0: pcrs[0],
    PCR1: pcrs[1],
    PCR2: pcrs[2],
  }
  if (pcrs[8] !== undefined) measurements['PCR8'] = pcrs[8]
  const certificate = signature?.certificate
  const output: Record<string, Json> = {
    EifVersion: header.version,
    Measurements: measurements,
    IsSigned: signature !== undefined,
    ...(certificate && { SigningCertificate: certificateFields(certificate) }),
    // An image with another checksum does not get this far.
    CheckCRC: true,
    ...(signature && { SignatureCheck: signature.check === 'valid' }),
  }
  if (
    metadata?.imageName !== undefined &&
    metadata.imageVersion !== undefined &&
    metadata.buildTime !== undefined &&
    metadata.buildTool !== undefined &&
    metadata.buildToolVersion !== undefined &&
    metadata.operatingSystem !== undefined &&
    metadata.kernelVersion !== undefined &&
    metadata.dockerInfo !== undefined
  ) {
    output['ImageName'] = metadata.imageName
    output['ImageVersion'] = metadata.imageVersion
    const custom = metadata.customMetadata
    output['Metadata'] = {
      BuildTime: metadata.buildTime,
      BuildTool: metadata.buildTool,
      BuildToolVersion: metadata.buildToolVersion,
      OperatingSystem: metadata.operatingSystem,
      KernelVersion: metadata.kernelVersion,
      DockerInfo: metadata.dockerInfo,
      ...(typeof custom === 'object' && !Array.isArray(custom) ? custom : {}),
    }
  }
  // Text of the image cannot move a terminal's cursor; as JSON it is the same.
  return JSON.stringify(output, null, 2).replace(
    /[^\n -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function certificateFields(certificate: SigningCertificate): Json {
  const issuer = new Map<string, string>()
  for (const [name, value] of certificate.issuer) issuer.set(name, value.replaceAll('"', ''))
  const signature = toHex(certificate.signature).toUpperCase().match(/../g) ?? []
  return {
    IssuerName: Object.fromEntries([...issuer].sort(([a], [b]) => (a < b ? -1 : 1))),
    Algorithm: certificate.signatureAlgorithm,
    NotBefore: asn1Time(certificate.notBefore),
    NotAfter: asn1Time(certificate.notAfter),
    Signature: signature.join(':'),
  }
}

/** As OpenSSL prints it: `Nov  3 07:20:33 2026 GMT`. */
function asn1Time(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = String(date.getUTCDate()).padStart(2, ' ')
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  return `${MONTHS[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()} GMT`
}
