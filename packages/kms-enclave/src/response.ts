import { KmsError } from './error.ts'
import type { HttpResponse } from './http-exchange.ts'

/** The members of an answer, read by name. */
export class ResponseMembers {
  readonly #operation: string
  readonly #members: Record<string, unknown>

  constructor(operation: string, members: Record<string, unknown>) {
    this.#operation = operation
    this.#members = members
  }

  /** A text that must be there. */
  text(name: string, max = 2048): string {
    const value = this.optionalText(name, max)
    if (value === undefined) throw this.#malformed(name, 'is missing')
    return value
  }

  optionalText(name: string, max = 2048): string | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string') throw this.#malformed(name, 'is no text')
    if (value.length > max) throw this.#malformed(name, `has more than ${max} characters`)
    return value
  }

  /** Bytes that must be there, in standard base64. */
  bytes(name: string, max: number): Uint8Array {
    const value = this.#get(name)
    if (value === undefined || value === '') throw this.#malformed(name, 'is missing')
    if (typeof value !== 'string') throw this.#malformed(name, 'is no text')
    const bytes = new Uint8Array(Buffer.from(value, 'base64'))
    if (Buffer.from(bytes.buffer).toString('base64') !== value) {
      throw this.#malformed(name, 'is not base64')
    }
    if (bytes.length > max) throw this.#malformed(name, `has more than ${max} bytes`)
    return bytes
  }

  boolean(name: string): boolean {
    const value = this.#get(name)
    if (typeof value !== 'boolean') throw this.#malformed(name, 'is neither true nor false')
    return value
  }

  /** An object that must be there, members unread. */
  object(name: string): Record<string, unknown> {
    const value = this.#get(name)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>
    }
    throw this.#malformed(name, 'is no object')
  }

  list(name: string): readonly unknown[] {
    const value = this.#get(name)
    if (Array.isArray(value)) return value as readonly unknown[]
    throw this.#malformed(name, 'is no list')
  }

  /** Whether there is anything under a name: neither absent, nor null, nor an empty text. */
  holds(name: string): boolean {
    const value = this.#get(name)
    return value !== undefined && value !== ''
  }

  /** KMS leaves a member out or writes null, which is the same. */
  #get(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? (this.#members[name] ?? undefined) : undefined
  }

  #malformed(name: string, fault: string): KmsError {
    return new KmsError('ERR_KMS_RESPONSE', `The answer to ${this.#operation}: ${name} ${fault}`)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws {KmsError} `ERR_KMS_RESPONSE` */
export function readMembers(
  operation: string,
  { body }: Pick<HttpResponse, 'body'>,
): ResponseMembers {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(body))
  } catch {
    // The parser's own message would quote the body.
    throw new KmsError('ERR_KMS_RESPONSE', `The answer to ${operation} is no JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KmsError('ERR_KMS_RESPONSE', `The answer to ${operation} is no JSON object`)
  }
  return new ResponseMembers(operation, value as Record<string, unknown>)
}
