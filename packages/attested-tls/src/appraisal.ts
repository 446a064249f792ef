import {
  createVerifier,
  type AppraisalPolicyOptions,
  type AttestationResult,
} from '@enclavejs/attestation'
import { within } from './deadline.ts'
import { AttestedTlsError } from './error.ts'

/** The options that decide which documents are accepted, as `createVerifier` of `@enclavejs/attestation` has them. */
export const POLICY_OPTIONS: readonly (keyof AppraisalPolicyOptions)[] = [
  ...(['referenceValues', 'acceptAnyImage', 'allowDebugMode', 'maxAge'] as const),
  ...(['clockTolerance', 'partition', 'trustAnchors'] as const),
]

/** Verifies a document that answers a nonce. */
export type Appraise = (document: Uint8Array, nonce: Uint8Array) => Promise<AttestationResult>

/**
 * A verifier with the policy's part of some options.
 *
 * @throws {TypeError | RangeError} as `createVerifier`, where the policy is unsafe.
 */
export function appraiser(options: AppraisalPolicyOptions): Appraise {
  const policy: Record<string, unknown> = {}
  for (const name of POLICY_OPTIONS) {
    if (options[name] !== undefined) policy[name] = options[name]
  }
  const verifier = createVerifier(policy)
  return async (document, nonce) => {
    try {
      return await verifier.verify(document, { nonce })
    } catch (cause) {
      const code = (cause as { code?: unknown }).code
      const message = `The document is refused: ${typeof code === 'string' ? code : 'no reason'}`
      throw new AttestedTlsError('ERR_ATTESTED_TLS_EVIDENCE', message, { cause })
    }
  }
}

/** Lets the application judge what was verified. @throws {AttestedTlsError} `ERR_ATTESTED_TLS_REFUSED` with what it threw. */
export async function askApplication(
  judge: () => unknown,
  options: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { timeout, signal } = options
  const judged = (async () => {
    try {
      await judge()
    } catch (cause) {
      throw new AttestedTlsError('ERR_ATTESTED_TLS_REFUSED', 'onAttested refused it', { cause })
    }
  })()
  await within(judged, timeout, 'onAttested did not end', { signal })
}

/** A document for another purpose proves nothing for this one. */
export function purposeError(expected: string): AttestedTlsError {
  return new AttestedTlsError(
    'ERR_ATTESTED_TLS_PURPOSE',
    `A document with user_data for ${expected} was expected, and it is for something else, or for nothing`,
  )
}
