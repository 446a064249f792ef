/** What a KMS ARN says, taken apart. */
export interface KeyArn {
  /** The whole. */
  readonly arn: string
  /** `aws`, `aws-cn`… */
  readonly partition: string
  readonly region: string
  /** Twelve digits. */
  readonly accountId: string
  /** `key/…` names one key for ever; `alias/…` names whatever key its owner last pointed it at. */
  readonly resourceType: 'key' | 'alias'
  /** What follows `key/` or `alias/`. */
  readonly resourceId: string
}

const ARN =
  /^arn:(aws[a-z-]{0,20}):kms:([a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d{1,2}):(\d{12}):(key|alias)\/(.+)$/
/** A UUID, or the id of a multi-Region key. */
const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/
const ALIAS_NAME = /^[A-Za-z0-9/_-]{1,250}$/

/** Takes an ARN apart; undefined where it is none of a KMS key or alias, in the exact form that KMS writes. */
export function parseKeyArn(text: string): KeyArn | undefined {
  const [, partition, region, accountId, resourceType, resourceId] =
    text.length > 2048 ? [] : (ARN.exec(text) ?? [])
  if (
    partition === undefined ||
    region === undefined ||
    accountId === undefined ||
    resourceId === undefined ||
    !(resourceType === 'alias' ? ALIAS_NAME : KEY_ID).test(resourceId)
  ) {
    return undefined
  }
  return {
    arn: text,
    partition,
    region,
    accountId,
    resourceType: resourceType === 'alias' ? 'alias' : 'key',
    resourceId,
  }
}
