import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ReferenceValues } from '@enclavejs/kms-enclave/policy'

/** What is deployed, where, and which images the key admits: the file that `-c deployment=FILE` names. */
export interface Deployment {
  /** The account, 12 digits, and the region. The key's policy names them, so they are known before anything is made. */
  readonly account: string
  readonly region: string
  /** Letters of the two availability zones. Default `ab`. */
  readonly zones: string
  /** Begins the names of everything. Default `enclave`. */
  readonly environmentName: string
  /** The service's name, in the hosted zone or its apex. */
  readonly domainName: string
  readonly hostedZoneId: string
  readonly hostedZoneName: string
  /** Virtualised Nitro, at least four vCPUs. Default `c6i.xlarge`. */
  readonly instanceType: string
  /** Systems Manager on the instances: who has a shell on a parent still has no key. Default false. */
  readonly ssm: boolean
  /** Enclave image that new instances run. */
  readonly image: string
  /** What the enclave is given: MiB, at least four times the image, and vCPUs, whole cores. Defaults 1024 and 2. */
  readonly enclaveMemory: number
  readonly enclaveCpus: number
  /** What `enclavejs eif reference-values NEW.eif OLD.eif` printed: every image that the key admits, during a rollout two. */
  readonly admitted: readonly ReferenceValues[]
  /** Whether nobody may ever replace the key's policy; a new image then needs a new key. No default. */
  readonly keyLocked: boolean
  /** Exact version of `@enclavejs/cli` that the parent installs. */
  readonly cliVersion: string
  /** For EKS: the parent's container image, made by parent/Dockerfile, by digest. */
  readonly parentImage?: string
  /** For EKS: AWS's device plugin for Nitro Enclaves, by digest. */
  readonly devicePluginImage?: string
}

const DEFAULTS = {
  zones: 'ab',
  environmentName: 'enclave',
  instanceType: 'c6i.xlarge',
  ssm: false,
  enclaveMemory: 1024,
  enclaveCpus: 2,
}

const FORMS: Readonly<Record<string, RegExp | 'boolean' | 'number' | 'file'>> = {
  account: /^\d{12}$/,
  region: /^[a-z]{2}(?:-[a-z]+)+-\d$/,
  zones: /^([a-z])(?!\1)[a-z]$/,
  environmentName: /^[a-z][a-z0-9-]{0,23}$/,
  domainName: /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
  hostedZoneId: /^Z[A-Z0-9]{1,31}$/,
  hostedZoneName: /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
  instanceType: /^[a-z0-9-]+\.(?:\d*xlarge|metal(?:-\w+)?)$/,
  ssm: 'boolean',
  image: 'file',
  enclaveMemory: 'number',
  enclaveCpus: 'number',
  admitted: 'file',
  keyLocked: 'boolean',
  cliVersion: /^\d+\.\d+\.\d+$/,
  devicePluginImage: /^[\w.-]+(?:\/[\w.-]+)+@sha256:[0-9a-f]{64}$/,
  parentImage: /^[\w.-]+(?:\/[\w.-]+)+@sha256:[0-9a-f]{64}$/,
}

/** Reads the file; paths in it are relative to it. Unknown and missing words are errors: half a deployment is none. */
export function readDeployment(file: string): Deployment {
  const given = {
    ...DEFAULTS,
    ...(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>),
  }
  const folder = dirname(resolve(file))
  const read: Record<string, unknown> = {}
  for (const key of Object.keys(given)) {
    if (FORMS[key] === undefined) throw new TypeError(`${file}: ${key} is not known`)
  }
  for (const [key, form] of Object.entries(FORMS)) {
    const value = (given as Record<string, unknown>)[key]
    if (value === undefined && (key === 'parentImage' || key === 'devicePluginImage')) continue
    const fits =
      typeof form === 'string'
        ? typeof value === (form === 'file' ? 'string' : form)
        : typeof value === 'string' && form.test(value)
    if (!fits) throw new TypeError(`${file}: ${key} is missing or has another form: ${form}`)
    read[key] = form === 'file' ? resolve(folder, value as string) : value
  }
  const deployment = read as unknown as Deployment & { admitted: string }
  const admitted = JSON.parse(readFileSync(deployment.admitted, 'utf8')) as unknown
  const { domainName, hostedZoneName } = deployment
  if (domainName !== hostedZoneName && !domainName.endsWith(`.${hostedZoneName}`)) {
    throw new TypeError(`${file}: domainName ${domainName} is not in the zone ${hostedZoneName}`)
  }
  return { ...deployment, admitted: (Array.isArray(admitted) ? admitted : [admitted]) as [] }
}

/** The role whose credentials the enclaves use. Its name is fixed, because the key's policy names it. */
export function roleName({ environmentName }: Deployment): string {
  return `${environmentName}-instance`
}

/** The role's ARN. */
export function roleArn(deployment: Deployment): string {
  const partition = deployment.region.startsWith('us-gov-')
    ? 'aws-us-gov'
    : deployment.region.startsWith('cn-')
      ? 'aws-cn'
      : 'aws'
  return `arn:${partition}:iam::${deployment.account}:role/${roleName(deployment)}`
}

/** The zones' names. */
export function zoneNames({ region, zones }: Deployment): string[] {
  return [...zones].map((letter) => `${region}${letter}`)
}
