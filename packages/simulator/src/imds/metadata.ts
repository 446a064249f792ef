import { createSimulatedAccount, type SimulatedAccount } from '../kms/account.ts'
import type { ImdsFault } from './fault.ts'
import type { RoleCredentials } from './role-credentials.ts'

const ROLES = '/latest/meta-data/iam/security-credentials/'

/** What stands under the paths of IMDS, for one instance. */
export class Metadata {
  readonly #credentials: RoleCredentials
  readonly #account: SimulatedAccount
  readonly #region: string
  readonly #instanceId: string
  readonly #now: () => Date

  constructor(input: {
    readonly credentials: RoleCredentials
    readonly account: SimulatedAccount
    readonly region: string
    readonly instanceId: string
    readonly now: () => Date
  }) {
    this.#credentials = input.credentials
    this.#account = input.account
    this.#region = input.region
    this.#instanceId = input.instanceId
    this.#now = input.now
  }

  /** The text at a path; undefined where there is none. */
  at(path: string, fault: ImdsFault | undefined): string | undefined {
    const region = this.#region
    const { roleName, roleArn } = this.#credentials
    if (`${path}/` === ROLES || path === ROLES) return roleName
    switch (path) {
      case ROLES + roleName:
        return json(this.#roleDocument(fault))
      case '/latest/meta-data/iam/info':
        return json({
          Code: 'Success',
          LastUpdated: this.#now()
            .toISOString()
            .replace(/\.\d+Z$/, 'Z'),
          InstanceProfileArn: roleArn.replace(':role/', ':instance-profile/'),
          InstanceProfileId: 'AIPASIMULATED00000000',
        })
      case '/latest/meta-data/instance-id':
        return this.#instanceId
      case '/latest/meta-data/placement/region':
        return region
      case '/latest/meta-data/placement/availability-zone':
        return `${region}a`
      case '/latest/dynamic/instance-identity/document':
        return json({
          accountId: this.#account.accountId,
          architecture: 'x86_64',
          availabilityZone: `${region}a`,
          imageId: 'ami-00000000000000000',
          instanceId: this.#instanceId,
          instanceType: 'm5.xlarge',
          pendingTime: '2026-01-01T00:00:00Z',
          privateIp: '10.0.0.10',
          region,
          version: '2017-09-30',
        })
      default:
        return undefined
    }
  }

  #roleDocument(fault: ImdsFault | undefined): Record<string, unknown> {
    const credentials = this.#credentials
    switch (fault?.kind) {
      case 'failed':
        return { Code: 'Failed', LastUpdated: this.#now().toISOString() }
      case 'expired':
        return credentials.document(credentials.expired())
      case 'foreign': {
        const stranger = createSimulatedAccount({ accountId: '888888888888', now: this.#now })
        return credentials.document(stranger.issueCredentials({ role: credentials.roleName }))
      }
      default:
        return credentials.document(credentials.current())
    }
  }
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}
