import { describe, expect, it } from 'vitest'
import { BoundKey, type BoundKeyOptions } from '../src/bound-key.ts'
import { kmsHost, partitionOf, type EndpointVariant } from '../src/endpoint.ts'
import { parseKeyArn } from '../src/key-arn.ts'
import { KmsError } from '../src/index.ts'

const ID = '1234abcd-12ab-34cd-56ef-1234567890ab'
const ARN = `arn:aws:kms:eu-west-1:111122223333:key/${ID}`

describe('the host of a region', () => {
  it.each([
    ['us-east-1', 'standard', 'kms.us-east-1.amazonaws.com'],
    ['eu-west-1', 'fips', 'kms-fips.eu-west-1.amazonaws.com'],
    ['eu-west-1', 'dualstack', 'kms.eu-west-1.api.aws'],
    ['eu-west-1', 'fips-dualstack', 'kms-fips.eu-west-1.api.aws'],
    ['cn-north-1', 'standard', 'kms.cn-north-1.amazonaws.com.cn'],
    ['cn-north-1', 'dualstack', 'kms.cn-north-1.api.amazonwebservices.com.cn'],
    ['us-gov-west-1', 'fips', 'kms-fips.us-gov-west-1.amazonaws.com'],
    ['eusc-de-east-1', 'standard', 'kms.eusc-de-east-1.amazonaws.eu'],
    ['us-iso-east-1', 'standard', 'kms.us-iso-east-1.c2s.ic.gov'],
    ['us-isob-east-1', 'dualstack', 'kms.us-isob-east-1.api.aws.scloud'],
    ['eu-isoe-west-1', 'standard', 'kms.eu-isoe-west-1.cloud.adc-e.uk'],
    ['us-isof-south-1', 'standard', 'kms.us-isof-south-1.csp.hci.ic.gov'],
  ] as const)('%s, %s is %s', (region, variant, host) => {
    expect(kmsHost(region, variant)).toBe(host)
  })

  it.each([
    '',
    'eu-west',
    'xx-west-1',
    'us-gov-west',
    'eusc-fr-east-1',
    'eu-west-1.evil.example',
    'EU-WEST-1',
  ])('is unknown of %j', (region) => {
    expect(kmsHost(region)).toBeUndefined()
    expect(partitionOf(region)).toBeUndefined()
  })
})

describe('an ARN', () => {
  it.each([
    ARN,
    `arn:aws:kms:eu-west-1:111122223333:key/mrk-${'0'.repeat(32)}`,
    `arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/${ID}`,
    'arn:aws:kms:eu-west-1:111122223333:alias/some/name',
  ])('%s is taken apart', (arn) => {
    expect(parseKeyArn(arn)).toMatchObject({ arn, accountId: '111122223333' })
  })

  it.each([
    ['another service', ARN.replace('kms', 's3')],
    ['an account of eleven digits', ARN.replace('111122223333', '11112222333')],
    ['an id in capitals', ARN.replace(ID, ID.toUpperCase())],
    ['a line behind it', `${ARN}\n`],
    ['a resource that is neither key nor alias', ARN.replace('key/', 'grant/')],
    ['no region', ARN.replace('eu-west-1', '')],
    ['2 MB', `${ARN.replace(`key/${ID}`, 'alias/')}${'a'.repeat(2_000_000)}`],
  ])('with %s is none', (_name, arn) => {
    expect(parseKeyArn(arn)).toBeUndefined()
  })
})

describe('a bound key', () => {
  it('takes host and region from the ARN', () => {
    expect(new BoundKey({ keyArn: ARN })).toMatchObject({
      keyId: ARN,
      region: 'eu-west-1',
      host: 'kms.eu-west-1.amazonaws.com',
    })
    expect(new BoundKey({ keyArn: ARN, endpoint: 'fips' }).host).toBe(
      'kms-fips.eu-west-1.amazonaws.com',
    )
  })

  const region = 'eu-west-1'
  it.each<[string, BoundKeyOptions, RegExp]>([
    ['an alias', { keyArn: 'alias/mine' }, /dangerouslyUnboundKey/],
    [
      'the ARN of an alias',
      { keyArn: `arn:aws:kms:${region}:111122223333:alias/mine` },
      /dangerouslyUnboundKey/,
    ],
    ['a bare id', { keyArn: ID }, /dangerouslyUnboundKey/],
    ['something else', { keyArn: 'x' }, /full ARN/],
    ['nothing', { keyArn: undefined as unknown as string }, /ARN/],
    [
      'a region of another partition',
      { keyArn: ARN.replace('arn:aws:', 'arn:aws-cn:') },
      /no region/,
    ],
    ['a region that there is not', { keyArn: ARN.replace(region, 'xx-west-1') }, /no region/],
    ['an unknown endpoint', { keyArn: ARN, endpoint: 'vpce' as EndpointVariant }, /endpoint/],
    [
      'an unbound key without region',
      { keyArn: ID, dangerouslyUnboundKey: true as never },
      /region/,
    ],
    [
      'an unbound key of another region',
      { keyArn: ARN, dangerouslyUnboundKey: { region: 'eu-west-2' } },
      /dangerouslyUnboundKey/,
    ],
    ['a malformed unbound key', { keyArn: 'a b', dangerouslyUnboundKey: { region } }, /alias/],
    [
      'an unbound key of no region',
      { keyArn: ID, dangerouslyUnboundKey: { region: 'evil.example' } },
      /no region/,
    ],
  ])('refuses %s', (_name, options, message) => {
    expect(() => new BoundKey(options)).toThrow(TypeError)
    expect(() => new BoundKey(options)).toThrow(message)
  })

  it.each([
    ['another key', ARN.replace('1234abcd', '1234abce')],
    ['another account', ARN.replace('111122223333', '111122223334')],
    ['another region', ARN.replace('eu-west-1', 'eu-west-2')],
    ['a bare id', ID],
    ['an alias', ARN.replace(`key/${ID}`, 'alias/x')],
    ['nothing', ''],
  ])('refuses an answer of %s', (_name, keyId) => {
    const key = new BoundKey({ keyArn: ARN })
    key.check('Decrypt', ARN)
    expect(() => key.check('Decrypt', keyId)).toThrow(
      expect.objectContaining({ code: 'ERR_KMS_KEY_MISMATCH' }) as KmsError,
    )
  })

  it('that is none takes any key that may be meant, and no other', () => {
    const dangerouslyUnboundKey = { region }
    const refuses = (key: BoundKey, keyId: string): void => {
      expect(() => key.check('Decrypt', keyId)).toThrow(KmsError)
    }
    const alias = new BoundKey({ keyArn: 'alias/mine', dangerouslyUnboundKey })
    alias.check('Decrypt', ARN)
    refuses(alias, ARN.replace(region, 'eu-west-2'))
    refuses(alias, 'alias/mine')
    const arn = `arn:aws:kms:${region}:111122223333:alias/mine`
    const owned = new BoundKey({ keyArn: arn, dangerouslyUnboundKey })
    owned.check('Decrypt', ARN)
    refuses(owned, ARN.replace('111122223333', '999999999999'))
    const bare = new BoundKey({ keyArn: ID, dangerouslyUnboundKey })
    bare.check('Decrypt', ARN)
    refuses(bare, ARN.replace('1234abcd', '1234abce'))
  })
})
