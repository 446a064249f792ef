/** What goes wrong with an answer, and of which requests. */
export type KmsFault = KmsFaultScope & KmsFaultKind

/** The requests that a fault is for: the next ones unless an operation is named. */
export interface KmsFaultScope {
  /** `Decrypt` and so on; left out: any. */
  readonly operation?: string
  /** How many requests. Default 1; Infinity until `clearFaults`. */
  readonly times?: number
}

/** What goes wrong. */
export type KmsFaultKind =
  /** 400 ThrottlingException. */
  | { readonly kind: 'throttling' }
  /** 500 KMSInternalException. */
  | { readonly kind: 'internal' }
  /** 503 with a body that is not JSON. */
  | { readonly kind: 'unavailable' }
  /** Any error; status 400 unless told. */
  | {
      readonly kind: 'error'
      readonly type: string
      readonly message?: string
      readonly status?: number
    }
  /** The connection is destroyed in place of an answer. */
  | { readonly kind: 'refuse' }
  /** The connection is reset after some octets of the body; default half. */
  | { readonly kind: 'reset'; readonly afterBytes?: number }
  /** The connection is ended in good order after some octets of the body; default half. */
  | { readonly kind: 'truncate'; readonly afterBytes?: number }
  /** The answer begins late, and comes in pieces where chunkBytes is given. */
  | {
      readonly kind: 'slow'
      readonly delayMs?: number
      readonly chunkBytes?: number
      readonly chunkDelayMs?: number
    }
  /** The answer stops in the head, or after some octets of the body, and the connection is held. */
  | { readonly kind: 'stall'; readonly part?: 'head' | 'body'; readonly afterBytes?: number }
  /** CiphertextForRecipient changed; unless told how, one octet of its structure. */
  | { readonly kind: 'malformed-cms'; readonly mutate?: (cms: Uint8Array) => Uint8Array }
  /** A recipient identifier that is not that of the recipient. */
  | { readonly kind: 'wrong-rid' }
  /** One bit of the IV is flipped. */
  | { readonly kind: 'flipped-iv' }
  /** Sealed for another RSA key of the same size, with the recipient's identifier. */
  | { readonly kind: 'foreign-recipient' }
  /** An octet after CiphertextForRecipient. */
  | { readonly kind: 'trailing-bytes' }
  /** The secret in the open beside CiphertextForRecipient. */
  | { readonly kind: 'extra-plaintext' }
  /** The secret in the open in place of CiphertextForRecipient. */
  | { readonly kind: 'ignore-recipient' }
  /** Neither the secret nor CiphertextForRecipient. */
  | { readonly kind: 'missing-ciphertext' }
  /** KeyId of the answer; unless given, a key of another account. */
  | { readonly kind: 'wrong-key-id'; readonly keyId?: string }
  /** Any other change of the answer's JSON. */
  | {
      readonly kind: 'response'
      readonly change: (body: Readonly<Record<string, unknown>>) => unknown
    }
  /** A body that is sent as it is, with status 200 unless told. */
  | {
      readonly kind: 'raw-body'
      readonly body: string | Uint8Array
      readonly status?: number
      readonly contentType?: string
    }
  /** Another Date: so many milliseconds away, or this value; null leaves it out. */
  | { readonly kind: 'date'; readonly skewMs: number }
  | { readonly kind: 'date'; readonly value: string | null }
  /** A body, or a header, of so many octets. */
  | { readonly kind: 'huge-body'; readonly bytes: number }
  | { readonly kind: 'huge-headers'; readonly bytes: number }

interface Armed {
  readonly fault: KmsFault
  left: number
}

/** The faults that wait for their requests, in the order in which they were armed. */
export class FaultQueue {
  #armed: Armed[] = []

  arm(fault: KmsFault): void {
    const { times = 1 } = fault
    if (!(times > 0)) throw new RangeError('times: expected one or more')
    this.#armed.push({ fault, left: times })
  }

  clear(): void {
    this.#armed = []
  }

  /** The fault of a request, which is used up by it. */
  take(operation: string | undefined): KmsFault | undefined {
    const armed = this.#armed.find(
      ({ fault }) => fault.operation === undefined || fault.operation === operation,
    )
    if (armed === undefined) return undefined
    armed.left -= 1
    if (armed.left <= 0) this.#armed = this.#armed.filter((one) => one !== armed)
    return armed.fault
  }
}
