import type { AttestationError } from '@enclavejs/attestation'
import type { Terminal } from '../terminal.ts'

const HINTS: Readonly<Partial<Record<AttestationError['code'], string>>> = {
  ERR_ATTESTATION_CERTIFICATE_EXPIRED:
    'A document lives for at most 3 hours. For one from an archive: --at ISO-DATE or --at-document-time',
  ERR_ATTESTATION_TRUST_ANCHOR:
    'Other roots: --partition aws-us-gov, or --trust-anchor FILE.pem (a simulator, another partition)',
  ERR_ATTESTATION_DEBUG_MODE: '--allow-debug-mode accepts it, for development',
}

/** Tells on stderr why a document was refused. */
export function warnRefused(
  terminal: Terminal,
  error: AttestationError,
  note: string | undefined,
): void {
  terminal.warn(`refused: ${error.code}`)
  terminal.warn(error.message)
  for (const hint of [note, HINTS[error.code]]) if (hint !== undefined) terminal.warn(hint)
}
