import { DerError } from '../src/index.ts'

/** The message of the refusal, `accepted` where there is none. Another error than DerError goes through. */
export function refusal(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    if (error instanceof DerError && error.code === 'ERR_DER_MALFORMED') return error.message
    throw error
  }
}
