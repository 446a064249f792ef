/** One line of a benchmark. */
export interface Row {
  readonly row: string
  /** undefined where it was not measured; `note` then says why. */
  readonly value: number | undefined
  readonly unit: string
  readonly note?: string
}

/** What a row is to reach. */
export interface Goal {
  readonly atMost?: number
  readonly below?: number
  readonly atLeast?: number
}

/** The goals of rows that carry one, by benchmark. */
export const GOALS: Readonly<Record<string, Readonly<Record<string, Goal>>>> = {
  attestation: {
    cold: { atMost: 5.5 },
    'ca-cached': { atMost: 2.4 },
    'same-enclave': { atMost: 1.25 },
    'cold-wall': { atMost: 3.5 },
    memory: { below: 1 },
  },
  nsm: {
    sync: { atMost: 5 },
    async: { atMost: 40 },
  },
  vsock: {
    throughput: { atLeast: 0.9 },
    latency: { atMost: 1.1 },
    'tls-throughput': { atLeast: 0.9 },
    'guest-latency-both': { atMost: 2 },
    'guest-throughput-both': { atLeast: 0.7 },
  },
  kms: {
    'decrypt-cpu': { atMost: 1.3 },
    rate: { atLeast: 0.8 },
    rss: { atMost: 1 },
    install: { atMost: 0.75 },
  },
  acm: {
    'handshakes-rsa': { atLeast: 1.3 },
    'handshakes-ec': { atLeast: 0.9 },
    signatures: { atLeast: 0.8 },
  },
  eif: {
    measure: { atMost: 1.15 },
    memory: { atMost: 64 },
  },
}

/** The goal as a person reads it, and whether a measured value reaches it. */
export function describeGoal(goal: Goal | undefined, value: number | undefined): string {
  if (goal === undefined) return ''
  const { atMost, below, atLeast } = goal
  const text =
    atMost !== undefined ? `≤ ${atMost}` : below !== undefined ? `< ${below}` : `≥ ${atLeast}`
  if (value === undefined) return text
  const met =
    value <= (atMost ?? Infinity) && value < (below ?? Infinity) && value >= (atLeast ?? -Infinity)
  return `${text} ${met ? 'met' : 'MISSED'}`
}
