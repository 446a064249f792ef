import type { SimulatedAccount, SimulatedCredentials } from '../kms/account.ts'

export interface RoleCredentialsInput {
  readonly account: SimulatedAccount
  readonly role: string
  readonly instanceId: string
  readonly lifetimeMs: number
  readonly rotateAheadMs: number
  readonly now: () => Date
}

/** The credentials of an instance's role: the same set until it is to be replaced. */
export class RoleCredentials {
  readonly #input: RoleCredentialsInput
  #current: SimulatedCredentials
  #issuedAt: Date

  constructor(input: RoleCredentialsInput) {
    this.#input = input
    this.#current = this.#issue(input.lifetimeMs)
    this.#issuedAt = input.now()
  }

  /** The role's name without its path. */
  get roleName(): string {
    const { principalArn } = this.#current
    return principalArn.slice(principalArn.lastIndexOf('/') + 1)
  }

  get roleArn(): string {
    return this.#current.principalArn
  }

  /** The set of now; a new one where less than `rotateAheadMs` of the last is left. */
  current(): SimulatedCredentials {
    const left = (this.#current.expiration?.getTime() ?? 0) - this.#input.now().getTime()
    return left < this.#input.rotateAheadMs ? this.rotate() : this.#current
  }

  /** A new set; the last one stays valid until it expires. */
  rotate(): SimulatedCredentials {
    this.#issuedAt = this.#input.now()
    this.#current = this.#issue(this.#input.lifetimeMs)
    return this.#current
  }

  /** A set that expired a minute ago. */
  expired(): SimulatedCredentials {
    return this.#issue(-60_000)
  }

  /** A set in IMDS's own JSON. */
  document(credentials: SimulatedCredentials): Record<string, unknown> {
    return {
      Code: 'Success',
      LastUpdated: iso(this.#issuedAt),
      Type: 'AWS-HMAC',
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      Token: credentials.sessionToken,
      Expiration: iso(credentials.expiration ?? new Date(0)),
    }
  }

  #issue(lifetimeMs: number): SimulatedCredentials {
    const { account, role, instanceId } = this.#input
    return account.issueCredentials({ role, sessionName: instanceId, lifetimeMs })
  }
}

function iso(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}
