import { AttestedTlsError } from './error.ts'
import type { GetEvidence } from './evidence-gate.ts'

/** Evidence of the NSM of this enclave, which is opened with the first call and closed by `close`. */
export function defaultEvidence(): { getEvidence: GetEvidence; close: () => Promise<void> } {
  let opened: Promise<import('@enclavejs/nsm').NsmDevice> | undefined
  return {
    getEvidence: async (input) => {
      const opening = (opened ??= open())
      try {
        return await (await opening).attestation(input)
      } catch (error) {
        // What could not be opened may be there the next time.
        opening.catch(() => (opened = undefined))
        throw error
      }
    },
    close: async () => {
      const nsm = await opened?.catch(() => undefined)
      await nsm?.close()
    },
  }
}

async function open(): Promise<import('@enclavejs/nsm').NsmDevice> {
  try {
    const { openNsm } = await import('@enclavejs/nsm')
    return openNsm()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'The default needs @enclavejs/nsm: npm install @enclavejs/nsm'
    throw new AttestedTlsError('ERR_ATTESTED_TLS_PACKAGE', message, { cause })
  }
}
