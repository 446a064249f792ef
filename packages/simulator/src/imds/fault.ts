/** What goes wrong with an answer of IMDS, and of which requests. */
export type ImdsFault = {
  /** Requests whose path begins so. Default: any. */
  readonly path?: string
  /** How many requests. Default 1. */
  readonly times?: number
} & ImdsFaultKind

export type ImdsFaultKind =
  | { readonly kind: 'status'; readonly status: number; readonly body?: string }
  /** The connection is destroyed in place of an answer. */
  | { readonly kind: 'refuse' }
  /** No answer comes; the connection is held. */
  | { readonly kind: 'stall' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Half of a JSON text. */
  | { readonly kind: 'malformed' }
  /** `{"Code":"Failed"}` in place of credentials. */
  | { readonly kind: 'failed' }
  /** A set of credentials that has expired. */
  | { readonly kind: 'expired' }
  /** A well-formed set that no account here knows. */
  | { readonly kind: 'foreign' }

interface Armed {
  readonly fault: ImdsFault
  left: number
}

/** The faults that wait for their requests, in the order in which they were armed. */
export class ImdsFaultQueue {
  #armed: Armed[] = []

  arm(fault: ImdsFault): void {
    const { times = 1 } = fault
    if (!(times > 0)) throw new RangeError('times: expected one or more')
    this.#armed.push({ fault, left: times })
  }

  clear(): void {
    this.#armed = []
  }

  take(path: string): ImdsFault | undefined {
    const armed = this.#armed.find(({ fault }) => path.startsWith(fault.path ?? ''))
    if (armed === undefined) return undefined
    armed.left -= 1
    if (armed.left <= 0) this.#armed = this.#armed.filter((one) => one !== armed)
    return armed.fault
  }
}
