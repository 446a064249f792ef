/** Why something was refused: a code, and words for people. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

/** What another process says it was refused, or refuses. */
export class RefusedError extends Error implements Refusal {
  readonly code: string

  constructor({ code, message }: Refusal) {
    super(message)
    this.code = code
  }
}

/** The reason at the root of an error: `fetch` fails with a `TypeError`, caused by a refused connection, caused by a refused document. */
export function refusalOf(error: unknown): Refusal {
  // Errors of the AWS SDK have KMS's code as their name.
  const { code, name, message, cause } = error as Record<string, unknown>
  if (cause instanceof Error && 'code' in cause) return refusalOf(cause)
  return { code: String(code ?? name), message: String(message ?? error) }
}
