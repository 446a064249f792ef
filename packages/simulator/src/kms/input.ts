import { KmsException, validation } from './exception.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** The members of a request, read with KMS's bounds and refused with its texts. */
export class Input {
  readonly #members: Readonly<Record<string, unknown>>

  constructor(members: Readonly<Record<string, unknown>>) {
    this.#members = members
  }

  /** @throws KmsException `SerializationException` where the body is not a JSON object. */
  static parse(body: Uint8Array): Input {
    let members: unknown
    try {
      members = JSON.parse(decoder.decode(body)) as unknown
    } catch {
      throw serialization('The request body is not JSON.')
    }
    if (typeof members !== 'object' || members === null || Array.isArray(members)) {
      throw serialization('The request body is not a JSON object.')
    }
    return new Input(members as Record<string, unknown>)
  }

  has(name: string): boolean {
    const value = this.#members[name]
    return value !== undefined && value !== null
  }

  optionalString(name: string, max = 2048): string | undefined {
    if (!this.has(name)) return undefined
    const value = this.#members[name]
    if (typeof value !== 'string') throw mistyped(name, 'a string')
    if (value.length === 0) throw constraint(name, value, 'have length greater than or equal to 1')
    if (value.length > max) {
      throw constraint(name, value, `have length less than or equal to ${max}`)
    }
    return value
  }

  string(name: string, max = 2048): string {
    const value = this.optionalString(name, max)
    if (value === undefined) throw constraint(name, null, 'not be null')
    return value
  }

  /** Text that may be empty and long, as a policy or a description. */
  text(name: string, max: number): string | undefined {
    if (!this.has(name) || this.#members[name] === '') return this.has(name) ? '' : undefined
    return this.optionalString(name, max)
  }

  optionalOneOf(name: string, values: readonly string[]): string | undefined {
    const value = this.optionalString(name)
    if (value !== undefined && !values.includes(value)) {
      throw constraint(name, value, `satisfy enum value set: [${values.join(', ')}]`)
    }
    return value
  }

  oneOf(name: string, values: readonly string[]): string {
    const value = this.optionalOneOf(name, values)
    if (value === undefined) throw constraint(name, null, 'not be null')
    return value
  }

  optionalInteger(name: string, min: number, max: number): number | undefined {
    if (!this.has(name)) return undefined
    const value = this.#members[name]
    if (typeof value !== 'number' || !Number.isInteger(value)) throw mistyped(name, 'an integer')
    if (value < min) throw constraint(name, value, `have value greater than or equal to ${min}`)
    if (value > max) throw constraint(name, value, `have value less than or equal to ${max}`)
    return value
  }

  boolean(name: string): boolean {
    if (!this.has(name)) return false
    const value = this.#members[name]
    if (typeof value !== 'boolean') throw mistyped(name, 'a boolean')
    return value
  }

  optionalBlob(name: string, min: number, max: number): Uint8Array | undefined {
    if (!this.has(name)) return undefined
    const value = this.#members[name]
    if (typeof value !== 'string') throw mistyped(name, 'base64')
    const octets = Buffer.from(value, 'base64')
    if (octets.toString('base64') !== value) throw mistyped(name, 'base64')
    if (octets.length < min) {
      throw constraint(name, undefined, `have length greater than or equal to ${min}`)
    }
    if (octets.length > max) {
      throw constraint(name, undefined, `have length less than or equal to ${max}`)
    }
    return new Uint8Array(octets)
  }

  blob(name: string, min: number, max: number): Uint8Array {
    const octets = this.optionalBlob(name, min, max)
    if (octets === undefined) throw constraint(name, null, 'not be null')
    return octets
  }

  stringMap(name: string): Readonly<Record<string, string>> | undefined {
    if (!this.has(name)) return undefined
    const entries = Object.entries(this.structure(name)?.members() ?? {})
    if (entries.some(([, value]) => typeof value !== 'string')) throw mistyped(name, 'strings')
    return Object.fromEntries(entries) as Record<string, string>
  }

  stringList(name: string, max: number): readonly string[] {
    if (!this.has(name)) return []
    const list = this.#members[name]
    if (!Array.isArray(list) || list.some((one) => typeof one !== 'string')) {
      throw mistyped(name, 'a list of strings')
    }
    if (list.length > max) {
      throw constraint(name, undefined, `have length less than or equal to ${max}`)
    }
    return list as string[]
  }

  structure(name: string): Input | undefined {
    if (!this.has(name)) return undefined
    const value = this.#members[name]
    if (typeof value !== 'object' || Array.isArray(value)) throw mistyped(name, 'a structure')
    return new Input(value as Record<string, unknown>)
  }

  members(): Readonly<Record<string, unknown>> {
    return this.#members
  }
}

/** KMS's text for a member that breaks a constraint of the model. */
function constraint(
  name: string,
  value: string | number | null | undefined,
  must: string,
): KmsException {
  const member = name.charAt(0).toLowerCase() + name.slice(1)
  const shown = value === undefined ? 'Value' : `Value ${quote(value)}`
  return validation(
    `1 validation error detected: ${shown} at '${member}' failed to satisfy constraint: Member must ${must}`,
  )
}

function quote(value: string | number | null): string {
  return value === null ? 'null' : `'${String(value).slice(0, 128)}'`
}

function mistyped(name: string, expected: string): KmsException {
  return serialization(`${name}: ${expected} was expected.`)
}

function serialization(message: string): KmsException {
  return new KmsException('SerializationException', message)
}
