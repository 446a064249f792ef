import {
  createCertificateAuthority,
  issueAttestationDocument,
  type CertificateAuthority,
} from '@enclavejs/simulator'

/** The time every fixture is made at. */
export const NOW: Date = new Date('2026-03-01T12:00:00Z')

export const NONCE: Uint8Array = new Uint8Array(32).fill(7)

/** A later or an earlier moment. */
export function after(seconds: number): Date {
  return new Date(NOW.getTime() + seconds * 1000)
}

/** PCR0 to PCR15, none of them zero. */
export function somePcrs(offset = 1): Map<number, Uint8Array> {
  return new Map(Array.from({ length: 16 }, (_, index) => [index, pcr(index + offset)]))
}

export function pcr(byte: number): Uint8Array {
  return new Uint8Array(48).fill(byte)
}

/** The PCRs of enclaves in debug mode: 0, 1, 2 and 8 zero. */
export function debugPcrs(): Map<number, Uint8Array> {
  const pcrs = somePcrs()
  for (const index of [0, 1, 2, 8]) pcrs.set(index, pcr(0))
  return pcrs
}

export const IMAGE: { pcrs: Record<number, Uint8Array> } = {
  pcrs: { 0: pcr(1), 1: pcr(2), 2: pcr(3) },
}

export async function authorityAt(now: Date = NOW): Promise<CertificateAuthority> {
  return createCertificateAuthority({ now: () => now })
}

export function documentOf(
  authority: CertificateAuthority,
  fields: Partial<Parameters<typeof issueAttestationDocument>[0]> = {},
): Uint8Array {
  return issueAttestationDocument(
    {
      moduleId: authority.moduleId,
      timestamp: NOW.getTime(),
      pcrs: somePcrs(),
      nonce: NONCE,
      ...fields,
    },
    authority.issueLeaf(),
  )
}

/** The `code` of what a call refuses with, or the class of another error; `accepted` when it does not refuse. */
export async function outcome(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name
  }
}
