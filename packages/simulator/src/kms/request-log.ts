/** One request as it came in, and how it was answered. Bodies hold what clients sent, secrets included. */
export interface RecordedRequest {
  /** From X-Amz-Target; undefined where that names no operation. */
  readonly operation: string | undefined
  /** Counts the connections from 1. */
  readonly connection: number
  /** By name in lower case; repeated ones joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
  readonly body: Uint8Array
  readonly receivedAt: Date
  readonly tls: { readonly protocol: string; readonly servername: string | undefined }
  /** The role or user; undefined where the signature did not hold. */
  readonly principalArn: string | undefined
  /** Undefined until it is answered. */
  readonly status: number | undefined
  /** `__type` of the answer. */
  readonly errorType: string | undefined
  readonly requestId: string
}

/** What has been counted since the start. */
export interface KmsCounters {
  /** Streams that were accepted. */
  readonly connections: number
  /** TLS handshakes that were completed. */
  readonly handshakes: number
  readonly requests: number
  readonly operations: Readonly<Record<string, number>>
  /** By `__type`. */
  readonly errors: Readonly<Record<string, number>>
}

/** The log's own, writable form of an entry. */
export type OpenRecord = { -readonly [K in keyof RecordedRequest]: RecordedRequest[K] }

/** The last requests, oldest first, and the counters. */
export class RequestLog {
  readonly #limit: number
  readonly #operations: Record<string, number> = {}
  readonly #errors: Record<string, number> = {}
  #entries: OpenRecord[] = []
  #requests = 0
  connections = 0
  handshakes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get entries(): readonly RecordedRequest[] {
    return [...this.#entries]
  }

  get counters(): KmsCounters {
    return {
      connections: this.connections,
      handshakes: this.handshakes,
      requests: this.#requests,
      operations: { ...this.#operations },
      errors: { ...this.#errors },
    }
  }

  clear(): void {
    this.#entries = []
  }

  begin(entry: OpenRecord): void {
    this.#requests += 1
    if (entry.operation !== undefined) count(this.#operations, entry.operation)
    if (this.#limit === 0) return
    this.#entries.push(entry)
    if (this.#entries.length > this.#limit) this.#entries.shift()
  }

  end(entry: OpenRecord, status: number, errorType: string | undefined): void {
    entry.status = status
    entry.errorType = errorType
    if (errorType !== undefined) count(this.#errors, errorType)
  }
}

function count(counters: Record<string, number>, name: string): void {
  counters[name] = (counters[name] ?? 0) + 1
}
