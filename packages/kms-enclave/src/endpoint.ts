/** Which of KMS's host names of a region to call. */
export type EndpointVariant = 'standard' | 'fips' | 'dualstack' | 'fips-dualstack'

export const ENDPOINT_VARIANTS: readonly EndpointVariant[] = [
  'standard',
  'fips',
  'dualstack',
  'fips-dualstack',
]

interface Partition {
  readonly name: string
  readonly regions: RegExp
  readonly dnsSuffix: string
  readonly dualStackDnsSuffix: string
}

/** AWS's `partitions.json` (botocore, 2026-08). */
const PARTITIONS: readonly Partition[] = [
  {
    name: 'aws',
    regions: /^(?:us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$/,
    dnsSuffix: 'amazonaws.com',
    dualStackDnsSuffix: 'api.aws',
  },
  {
    name: 'aws-cn',
    regions: /^cn-\w+-\d+$/,
    dnsSuffix: 'amazonaws.com.cn',
    dualStackDnsSuffix: 'api.amazonwebservices.com.cn',
  },
  {
    name: 'aws-us-gov',
    regions: /^us-gov-\w+-\d+$/,
    dnsSuffix: 'amazonaws.com',
    dualStackDnsSuffix: 'api.aws',
  },
  {
    name: 'aws-eusc',
    regions: /^eusc-de-\w+-\d+$/,
    dnsSuffix: 'amazonaws.eu',
    dualStackDnsSuffix: 'api.amazonwebservices.eu',
  },
  {
    name: 'aws-iso',
    regions: /^us-iso-\w+-\d+$/,
    dnsSuffix: 'c2s.ic.gov',
    dualStackDnsSuffix: 'api.aws.ic.gov',
  },
  {
    name: 'aws-iso-b',
    regions: /^us-isob-\w+-\d+$/,
    dnsSuffix: 'sc2s.sgov.gov',
    dualStackDnsSuffix: 'api.aws.scloud',
  },
  {
    name: 'aws-iso-e',
    regions: /^eu-isoe-\w+-\d+$/,
    dnsSuffix: 'cloud.adc-e.uk',
    dualStackDnsSuffix: 'api.cloud-aws.adc-e.uk',
  },
  {
    name: 'aws-iso-f',
    regions: /^us-isof-\w+-\d+$/,
    dnsSuffix: 'csp.hci.ic.gov',
    dualStackDnsSuffix: 'api.aws.hci.ic.gov',
  },
]

/** The partition that a region belongs to, by its name; undefined where no partition has such regions. */
export function partitionOf(region: string): string | undefined {
  return find(region)?.name
}

/** The host of KMS in a region; undefined where no partition has such regions. */
export function kmsHost(region: string, variant: EndpointVariant = 'standard'): string | undefined {
  const partition = find(region)
  if (partition === undefined) return undefined
  const label = variant.startsWith('fips') ? 'kms-fips' : 'kms'
  const suffix = variant.endsWith('dualstack') ? partition.dualStackDnsSuffix : partition.dnsSuffix
  return `${label}.${region}.${suffix}`
}

function find(region: string): Partition | undefined {
  return PARTITIONS.find(({ regions }) => regions.test(region))
}
