import { randomBytes } from 'node:crypto'
import { ALLOW_ALL, type PolicyDocument } from './policy-document.ts'

/** Options of `createSimulatedAccount`; every one may be left out. */
export interface SimulatedAccountOptions {
  /** Twelve digits. Default `123456789012`. */
  readonly accountId?: string
  /** Default `aws`; `aws-cn`, `aws-us-gov`… */
  readonly partition?: string
  /** The clock that expiry is counted on. Default: the system's. */
  readonly now?: () => Date
}

/** One set of credentials, as IMDS or STS would give it. */
export interface SimulatedCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Absent for a user's long-term credentials. */
  readonly sessionToken?: string
  readonly expiration?: Date
  /** The role or user: what `aws:PrincipalArn` holds. */
  readonly principalArn: string
  /** The caller as errors name it: `arn:aws:sts::…:assumed-role/NAME/SESSION`, or the user. */
  readonly sessionArn: string
}

/** Who signed a request. */
export interface Principal {
  readonly accountId: string
  readonly partition: string
  readonly principalArn: string
  readonly sessionArn: string
  readonly type: 'AssumedRole' | 'User'
}

/** What a verifier of signatures finds under an access key id. */
export interface AccessKey {
  readonly credentials: SimulatedCredentials
  readonly principal: Principal
}

/** Longest lifetime of a role session: twelve hours. */
const MAX_LIFETIME = 12 * 3_600_000
/** Expired sets are kept for a while, so that they are called expired and not unknown. */
const MAX_KEYS = 4096

/**
 * An AWS account of the simulator: it hands out credentials, which the simulated KMS given the same
 * account recognises. It lives in memory, its access keys are worth nothing anywhere else.
 */
export class SimulatedAccount {
  readonly accountId: string
  readonly partition: string
  readonly #now: () => Date
  readonly #keys = new Map<string, AccessKey>()
  readonly #policies = new Map<string, PolicyDocument | undefined>()

  /** Use `createSimulatedAccount`. */
  constructor(options: SimulatedAccountOptions = {}) {
    const { accountId = '123456789012', partition = 'aws', now = () => new Date() } = options
    if (!/^\d{12}$/.test(accountId)) throw new TypeError('accountId: expected twelve digits')
    if (!/^aws[a-z-]*$/.test(partition)) {
      throw new TypeError('partition: expected aws, aws-cn, aws-us-gov or another of AWS')
    }
    this.accountId = accountId
    this.partition = partition
    this.#now = now
  }

  /** `arn:aws:iam::<account>:root`. */
  get rootArn(): string {
    return `arn:${this.partition}:iam::${this.accountId}:root`
  }

  /**
   * Temporary credentials of a role: an access key `ASIA…` with a session token.
   *
   * @param options.role A name, a path with a name, or the ARN of a role of this account.
   * @param options.sessionName Default `i-0simulated00000`, in place of an instance.
   * @param options.lifetimeMs Default 6 hours, at most 12; zero or less gives an expired set.
   */
  issueCredentials(options: {
    readonly role: string
    readonly sessionName?: string
    readonly lifetimeMs?: number
  }): SimulatedCredentials {
    const { sessionName = 'i-0simulated00000', lifetimeMs = 6 * 3_600_000 } = options
    if (!Number.isFinite(lifetimeMs) || lifetimeMs > MAX_LIFETIME) {
      throw new RangeError('lifetimeMs: expected at most twelve hours in milliseconds')
    }
    if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
      throw new TypeError('sessionName: expected 2 to 64 letters, digits or any of +=,.@-_')
    }
    const principalArn = this.#arn('role', options.role)
    const name = principalArn.slice(principalArn.lastIndexOf('/') + 1)
    return this.#add('AssumedRole', {
      accessKeyId: `ASIA${identifier()}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: `IQoJb3JpZ2luX2Vj${randomBytes(300).toString('base64')}`,
      expiration: new Date(Math.floor((this.#now().getTime() + lifetimeMs) / 1000) * 1000),
      principalArn,
      sessionArn: `arn:${this.partition}:sts::${this.accountId}:assumed-role/${name}/${sessionName}`,
    })
  }

  /** Long-term credentials of an IAM user: an access key `AKIA…` without token and expiry. */
  issueUserCredentials(options: { readonly user: string }): SimulatedCredentials {
    const principalArn = this.#arn('user', options.user)
    return this.#add('User', {
      accessKeyId: `AKIA${identifier()}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      principalArn,
      sessionArn: principalArn,
    })
  }

  /** Forgets an access key: `UnrecognizedClientException` from then on. */
  revoke(accessKeyId: string): void {
    this.#keys.delete(accessKeyId)
  }

  /** The set under an access key id, expired or not. */
  find(accessKeyId: string): AccessKey | undefined {
    return this.#keys.get(accessKeyId)
  }

  /**
   * The IAM policy of a role or user. Unless set it allows `kms:*` on everything; `undefined` leaves
   * the principal without any, so that only key policies and grants that name it let it in.
   */
  setIdentityPolicy(principalArn: string, policy: PolicyDocument | undefined): void {
    this.#policies.set(principalArn, policy === undefined ? undefined : structuredClone(policy))
  }

  /** The IAM policy that `setIdentityPolicy` set, or the one that allows everything. */
  identityPolicy(principalArn: string): PolicyDocument | undefined {
    return this.#policies.has(principalArn) ? this.#policies.get(principalArn) : ALLOW_ALL
  }

  #arn(kind: 'role' | 'user', name: string): string {
    const prefix = `arn:${this.partition}:iam::${this.accountId}:${kind}/`
    const path = name.startsWith(prefix) ? name.slice(prefix.length) : name
    if (!/^(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/.test(path)) {
      throw new TypeError(`${kind}: expected a name, or an ARN that begins with ${prefix}`)
    }
    return prefix + path
  }

  #add(type: Principal['type'], credentials: SimulatedCredentials): SimulatedCredentials {
    if (this.#keys.size >= MAX_KEYS) {
      const [oldest] = this.#keys.keys()
      if (oldest !== undefined) this.#keys.delete(oldest)
    }
    const { accountId, partition } = this
    const { principalArn, sessionArn } = credentials
    this.#keys.set(credentials.accessKeyId, {
      credentials,
      principal: { accountId, partition, principalArn, sessionArn, type },
    })
    return { ...credentials }
  }
}

/**
 * An account in memory, for `createSimulatedKms` and `createSimulatedImds`.
 *
 * @example
 * ```ts
 * import { createSimulatedAccount } from '@enclavejs/simulator/kms'
 *
 * const account = createSimulatedAccount({ accountId: '111122223333' })
 * const credentials = account.issueCredentials({ role: 'enclave', lifetimeMs: 900_000 })
 * if (!credentials.accessKeyId.startsWith('ASIA')) throw new Error('a temporary set was expected')
 * ```
 */
export function createSimulatedAccount(options: SimulatedAccountOptions = {}): SimulatedAccount {
  return new SimulatedAccount(options)
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function identifier(): string {
  return Array.from(randomBytes(16), (octet) => BASE32[octet & 31]).join('')
}
