// What is asked: the document, the nonce that the asker gave to the enclave, and what else the document must say.

export interface Question {
  readonly document: Uint8Array
  readonly nonce: Uint8Array
  readonly publicKey?: Uint8Array
  readonly userData?: Uint8Array
}

/** A question that is none. Nothing was judged. */
export class QuestionError extends Error {
  readonly code = 'BAD_QUESTION'
}

const MEMBERS = ['document', 'nonce', 'publicKey', 'userData'] as const
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** Fewer can be guessed, or met twice. */
const LEAST_NONCE = 16

/** @throws {QuestionError} */
export function readQuestion(body: Uint8Array): Question {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new QuestionError('JSON in UTF-8 expected')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QuestionError('an object expected')
  }
  const fields = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(fields).find((key) => !MEMBERS.some((member) => member === key))
  if (unknown !== undefined)
    throw new QuestionError('an unknown member: expected document, nonce, publicKey, userData')
  const [document, nonce, publicKey, userData] = MEMBERS.map((member) => readBytes(fields, member))
  if (document === undefined) throw new QuestionError('document: base64 expected')
  if (nonce === undefined || nonce.length < LEAST_NONCE) {
    throw new QuestionError(`nonce: base64 of at least ${LEAST_NONCE} bytes expected`)
  }
  return {
    document,
    nonce,
    ...(publicKey !== undefined && { publicKey }),
    ...(userData !== undefined && { userData }),
  }
}

function readBytes(
  fields: Readonly<Record<string, unknown>>,
  name: string,
): Uint8Array | undefined {
  const text = fields[name]
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !BASE64.test(text)) {
    throw new QuestionError(`${name}: base64 expected`)
  }
  return new Uint8Array(Buffer.from(text, 'base64'))
}
