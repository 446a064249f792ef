import { createPublicKey, randomBytes, randomUUID, type KeyObject } from 'node:crypto'
import type { CertificateRecipe } from './certificate.ts'
import { concat } from './der.ts'
import {
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoint,
  keyUsage,
  subjectKeyIdentifier,
  type Extension,
} from './extension.ts'
import type { DistinguishedName } from './name.ts'

/** The five certificates of a Nitro certification path, from the trust anchor down. */
export type Level = 'root' | 'regional' | 'zonal' | 'instance' | 'leaf'

/** From the trust anchor down. */
export const levels: readonly Level[] = ['root', 'regional', 'zonal', 'instance', 'leaf']

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The common name under which everything here hangs; AWS's is `aws.nitro-enclaves`. */
const ROOT_NAME = 'simulator.enclavejs'
const ORGANIZATION: DistinguishedName = [
  ['O', 'NotAWS'],
  ['OU', 'SIM'],
]
const SIGNING: readonly ['digitalSignature', 'keyCertSign', 'cRLSign'] = [
  'digitalSignature',
  'keyCertSign',
  'cRLSign',
]

/** How long each level lives and how long before its issue it begins, in milliseconds, as on Nitro. */
export const lifetimes: Readonly<
  Record<Exclude<Level, 'root'>, { before: number; after: number }>
> = {
  regional: { before: 3 * DAY, after: 20 * DAY + HOUR - 3 * DAY },
  zonal: { before: 9 * HOUR, after: 140 * HOUR - 9 * HOUR },
  instance: { before: HOUR, after: DAY - HOUR },
  leaf: { before: 3000, after: 3 * HOUR },
}

/** What a profile needs to know. `issuer` is not used for the root. */
interface ProfileInput {
  readonly region: string
  readonly moduleId: string
  /** Time of issue. */
  readonly at: Date
  /** The subject's private key. */
  readonly key: KeyObject
  readonly issuer?: { readonly subject: DistinguishedName; readonly key: KeyObject } | undefined
}

/** A recipe whose names are values, so that the next level can be hung under it. */
export interface NitroRecipe extends CertificateRecipe {
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  readonly extensions: readonly Extension[]
  readonly notBefore: Date
  readonly notAfter: Date
}

/** The recipe of one level in the shape that Nitro's has in 2026: names, order, extensions, dates. */
export function nitroRecipe(level: Level, input: ProfileInput): NitroRecipe {
  const { region, moduleId, key } = input
  const publicKey = createPublicKey(key)
  const at = Math.floor(input.at.getTime() / 1000) * 1000
  if (level === 'root') {
    const subject: DistinguishedName = [['C', 'US'], ...ORGANIZATION, ['CN', ROOT_NAME]]
    return {
      serialNumber: randomBytes(16),
      issuer: subject,
      subject,
      // The dates of AWS's own root: thirty years and an hour, all of it before UTCTime ends.
      notBefore: new Date('2019-10-28T13:28:05Z'),
      notAfter: new Date('2049-10-28T14:28:05Z'),
      publicKey,
      extensions: [
        basicConstraints({ ca: true }),
        subjectKeyIdentifier(publicKey),
        keyUsage(SIGNING),
      ],
      signingKey: key,
    }
  }
  const issuer = input.issuer
  if (issuer === undefined) throw new TypeError(`issuer: the ${level} certificate needs one`)
  const issuerIdentifier = authorityKeyIdentifier(createPublicKey(issuer.key))
  const common = {
    issuer: issuer.subject,
    notBefore: new Date(at - lifetimes[level].before),
    notAfter: new Date(at + lifetimes[level].after),
    publicKey,
    signingKey: issuer.key,
  }
  const identifier = randomBytes(8).toString('hex')
  switch (level) {
    case 'regional':
      return {
        ...common,
        serialNumber: randomBytes(16),
        subject: [['C', 'US'], ...ORGANIZATION, ['CN', `${identifier}.${region}.${ROOT_NAME}`]],
        extensions: [
          basicConstraints({ ca: true, pathLenConstraint: 2 }),
          issuerIdentifier,
          subjectKeyIdentifier(publicKey),
          keyUsage(SIGNING),
          crlDistributionPoint(
            `http://nitro-enclaves-crl.s3.simulator.invalid/crl/${randomUUID()}.crl`,
          ),
        ],
      }
    case 'zonal':
      return {
        ...common,
        serialNumber: randomBytes(16),
        subject: [
          ['CN', `${identifier}.zonal.${region}.${ROOT_NAME}`],
          ...ORGANIZATION.toReversed(),
          ['C', 'US'],
          ['ST', 'WA'],
          ['L', 'Seattle'],
        ],
        extensions: [
          basicConstraints({ ca: true, pathLenConstraint: 1 }),
          issuerIdentifier,
          subjectKeyIdentifier(publicKey),
          keyUsage(SIGNING),
          crlDistributionPoint(
            `http://crl-${region}-nitro-enclaves.s3.${region}.simulator.invalid/crl/${randomUUID()}.crl`,
          ),
        ],
      }
    case 'instance':
      return {
        ...common,
        serialNumber: randomBytes(20),
        subject: seattle(`${instanceIdOf(moduleId)}.${region}.${ROOT_NAME}`),
        extensions: [
          basicConstraints({ ca: true, pathLenConstraint: 0 }),
          keyUsage(['keyCertSign']),
          subjectKeyIdentifier(publicKey),
          issuerIdentifier,
        ],
      }
    case 'leaf':
      return {
        ...common,
        serialNumber: leafSerial(moduleId, at / 1000),
        subject: seattle(`${moduleId}.${region}.sim`),
        extensions: [
          basicConstraints({ ca: false }),
          keyUsage(['digitalSignature', 'nonRepudiation'], { critical: false }),
        ],
      }
  }
}

const MODULE_ID = /^(i-[0-9a-f]{8,17})-enc([0-9a-f]{16})$/

/** The part of a module id that names the parent instance. */
export function instanceIdOf(moduleId: string): string {
  const instanceId = MODULE_ID.exec(moduleId)?.[1]
  if (instanceId === undefined) {
    throw new TypeError('moduleId: expected i-<8 to 17 hex digits>-enc<16 hex digits>, as on Nitro')
  }
  return instanceId
}

function seattle(commonName: string): DistinguishedName {
  return [['C', 'US'], ['ST', 'Washington'], ['L', 'Seattle'], ...ORGANIZATION, ['CN', commonName]]
}

/** 8 bytes of the enclave's suffix, then the second of issue in 8 bytes. */
function leafSerial(moduleId: string, seconds: number): Uint8Array {
  const issue = Buffer.alloc(8)
  issue.writeBigUInt64BE(BigInt(seconds))
  return concat(Buffer.from(MODULE_ID.exec(moduleId)?.[2] ?? '', 'hex'), issue)
}
