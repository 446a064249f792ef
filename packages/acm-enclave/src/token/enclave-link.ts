import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { AcmError } from '../error.ts'
import { CKA, CKF, CKM, CKO, CKR, CKU, CryptokiError } from './cryptoki.ts'
import { writeDigestInfo } from './digest-info.ts'
import { pssMechanism } from './mechanism.ts'
import { readAttributes, type AttributeValue } from './rpc-attribute.ts'
import { RpcClient } from './rpc-client.ts'
import { writeMechanism, type Mechanism } from './rpc-mechanism.ts'
import { RpcReader } from './rpc-reader.ts'
import type { SignInput } from './signing-key.ts'
import { isSensitive, type ObjectTemplate } from './token-object.ts'
import { SLOT_ID } from './token-store.ts'

/** Objects that are taken over from one enclave at most. */
const MAX_OBJECTS = 1024
/** A buffer for each attribute that is asked for. */
const ATTRIBUTE_ROOM = 16_384

/** An object of the enclave's token. */
export interface EnclaveObject extends ObjectTemplate {
  /** The same for the same object of another enclave, or of the same one after a restart. */
  readonly identity: string
  /** In this connection's token. */
  readonly handle: number
}

/** One connection to the token of an enclave, logged in. */
export class EnclaveLink {
  readonly #rpc: RpcClient
  readonly #session: number
  /** Of the private keys. */
  #handles = new Map<string, number>()
  #signatures = 0
  /** When the last signature came, or the first of those under way was asked for. */
  #since = 0
  #timer: NodeJS.Timeout | undefined

  private constructor(rpc: RpcClient, session: number) {
    this.#rpc = rpc
    this.#session = session
  }

  /** @throws {AcmError} `ERR_ACM_TOKEN_PIN`, `ERR_ACM_TOKEN_ENCLAVE` */
  static async open(stream: Duplex, pin: string, onEnd: () => void): Promise<EnclaveLink> {
    const rpc = new RpcClient(stream, onEnd)
    try {
      await rpc.initialize()
      const opened = await rpc.call('OpenSession', (args) =>
        args.u64(SLOT_ID).u64(CKF.SERIAL_SESSION),
      )
      const session = opened.u64()
      const bytes = new TextEncoder().encode(pin)
      await rpc.call('Login', (args) => args.u64(session).u64(CKU.USER).present(bytes))
      return new EnclaveLink(rpc, session)
    } catch (cause) {
      rpc.close()
      throw linkError(cause)
    }
  }

  get ended(): boolean {
    return this.#rpc.ended
  }

  /** Signatures under way. */
  get load(): number {
    return this.#signatures
  }

  has(identity: string): boolean {
    return this.#handles.has(identity)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#rpc.close()
  }

  /** Everything that the token has, as it is now. */
  async objects(): Promise<readonly EnclaveObject[]> {
    const timer = setTimeout(() => this.#rpc.close(), ANSWER_TIMEOUT_MS)
    try {
      const objects: EnclaveObject[] = []
      for (const handle of await this.#find()) objects.push(await this.#object(handle))
      const keys = objects.filter(({ attributes }) => attributes.get(CKA.CLASS) === CKO.PRIVATE_KEY)
      this.#handles = new Map(keys.map(({ identity, handle }) => [identity, handle]))
      return objects
    } catch (cause) {
      throw linkError(cause)
    } finally {
      clearTimeout(timer)
    }
  }

  async #find(): Promise<readonly number[]> {
    const session = this.#session
    await this.#rpc.call('FindObjectsInit', (args) => args.u64(session).u32(0))
    // One more than is taken: to see that there are more.
    const room = MAX_OBJECTS + 1
    const found = await this.#rpc.call('FindObjects', (args) => args.u64(session).u32(room))
    await this.#rpc.call('FindObjectsFinal', (args) => args.u64(session))
    if (!found.flag()) throw new CryptokiError(CKR.DEVICE_ERROR)
    const handles = Array.from({ length: found.count(room, 8) }, () => found.u64())
    if (handles.length < room) return handles
    const message = `The token in the enclave has more than ${MAX_OBJECTS} objects, of which a relay takes none: remove keys that no web server uses.`
    throw new AcmError('ERR_ACM_TOKEN_OBJECTS', message)
  }

  async #object(handle: number): Promise<EnclaveObject> {
    const types = Object.values(CKA)
    const answer = await this.#rpc.call('GetAttributeValue', (args) => {
      args.u64(this.#session).u64(handle).u32(types.length)
      for (const type of types) args.u32(type).u32(ATTRIBUTE_ROOM)
    })
    const attributes = new Map<number, AttributeValue>()
    const own = Uint8Array.from(answer.bytes(answer.remaining))
    for (const { type, value } of readAttributes(new RpcReader(own))) {
      if (value !== undefined) attributes.set(type, value)
    }
    // What an enclave should never have told does not go further.
    for (const type of types) if (isSensitive({ attributes }, type)) attributes.delete(type)
    return { attributes, handle, identity: identityOf(attributes) }
  }

  /** C_DestroyObject. */
  async destroy(identity: string): Promise<void> {
    const key = this.#handles.get(identity)
    if (key === undefined) return
    const timer = setTimeout(() => this.#rpc.close(), ANSWER_TIMEOUT_MS)
    try {
      await this.#rpc.call('DestroyObject', (args) => args.u64(this.#session).u64(key))
      this.#handles.delete(identity)
    } catch (cause) {
      throw linkError(cause)
    } finally {
      clearTimeout(timer)
    }
  }

  /** C_SignInit and C_Sign in one write: one round trip. */
  async sign(identity: string, input: SignInput): Promise<Uint8Array> {
    const key = this.#handles.get(identity)
    if (key === undefined) throw new CryptokiError(CKR.KEY_HANDLE_INVALID)
    const { mechanism, data } = signArguments(input)
    if (this.#signatures++ === 0) this.#since = performance.now()
    this.#watch(ANSWER_TIMEOUT_MS)
    try {
      const [init, sign] = this.#rpc.together(() => [
        this.#rpc.call('SignInit', (args) => {
          writeMechanism(args.u64(this.#session), 'new', mechanism)
          args.u64(key)
        }),
        this.#rpc.call('Sign', (args) => args.u64(this.#session).present(data).u32(MAX_SIGNATURE)),
      ])
      // Where the first is refused, the second is as well, and says less.
      sign.catch(() => {})
      await init
      const signature = (await sign).optionalBytes()
      if (signature === undefined) throw new CryptokiError(CKR.DEVICE_ERROR)
      return Uint8Array.from(signature)
    } finally {
      this.#signatures--
      this.#since = performance.now()
    }
  }

  /** Ends the connection when a signature was due so long ago. One timer for all: setting one for each costs a lot of it. */
  #watch(milliseconds: number): void {
    if (this.#timer !== undefined || this.ended) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const left = this.#since + ANSWER_TIMEOUT_MS - performance.now()
      if (this.#signatures === 0) return
      if (left > 0) this.#watch(left)
      else this.#rpc.close()
    }, milliseconds)
    this.#timer.unref()
  }
}

/** An enclave that was killed may leave a connection that says nothing. */
const ANSWER_TIMEOUT_MS = 3000
/** RSA-8192. */
const MAX_SIGNATURE = 1024

function signArguments(input: SignInput): { mechanism: Mechanism; data: Uint8Array } {
  const { scheme, hash, digest } = input
  if (scheme === 'pss') return { mechanism: pssMechanism(hash), data: digest }
  if (scheme === 'ecdsa') return { mechanism: { type: CKM.ECDSA, pss: undefined }, data: digest }
  return { mechanism: { type: CKM.RSA_PKCS, pss: undefined }, data: writeDigestInfo(input) }
}

function identityOf(attributes: ReadonlyMap<number, AttributeValue>): string {
  const content = attributes.get(CKA.VALUE) ?? attributes.get(CKA.PUBLIC_KEY_INFO)
  const hash = createHash('sha256')
  if (content instanceof Uint8Array) hash.update(content)
  const id = attributes.get(CKA.ID)
  const name = id instanceof Uint8Array ? Buffer.from(id).toString('hex') : ''
  return `${Number(attributes.get(CKA.CLASS))} ${name} ${hash.digest('hex')}`
}

/** `CKA_ID` in hex, of an identity. */
export function idOf(identity: string): string {
  return identity.split(' ')[1] ?? ''
}

function linkError(cause: unknown): AcmError {
  if (cause instanceof AcmError) return cause
  const pin: readonly number[] = [CKR.PIN_INCORRECT, CKR.PIN_LOCKED]
  if (cause instanceof CryptokiError && pin.includes(cause.rv)) {
    const locked = cause.rv === CKR.PIN_LOCKED
    const message = locked
      ? 'The token in the enclave takes no PIN now: there were too many wrong ones. It takes one more each minute.'
      : 'The token in the enclave refuses the PIN.'
    return new AcmError('ERR_ACM_TOKEN_PIN', message)
  }
  const message = 'The token in the enclave cannot be reached, or answers with something else.'
  return new AcmError('ERR_ACM_TOKEN_ENCLAVE', message, { cause })
}
