import { createKeyPolicy, type CreatedKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { byId } from './element.ts'
import type { EifReferenceValues } from '@enclavejs/eif'
import type { Inspection } from './inspection.ts'
import { toHex } from './text.ts'

/** Where the PCRs of a policy come from. Never from a document that was not verified. */
export interface PolicySource {
  readonly from: 'document' | 'image'
  readonly pcrs: Readonly<Record<number, string>>
  readonly debugMode: boolean
}

const OPTIONAL = [3, 4, 8] as const
const ZERO = '0'.repeat(96)

/** The PCRs to admit: those of a verified document, else those of an image that was measured here. */
export function policySource(
  inspection: Inspection | undefined,
  image: EifReferenceValues | undefined,
): PolicySource | undefined {
  if (inspection?.kind === 'accepted') {
    const { pcrs, debugMode } = inspection.document
    const entries = [...pcrs].map(([index, value]) => [index, toHex(value)] as const)
    return { from: 'document', pcrs: Object.fromEntries(entries), debugMode }
  }
  return image === undefined ? undefined : { from: 'image', pcrs: image.pcrs, debugMode: false }
}

/** Enables the choices that the source has values for. */
export function arrangePolicy(source: PolicySource | undefined): void {
  for (const index of OPTIONAL) {
    const value = source?.pcrs[index]
    byId(`policy-pcr${index}`, HTMLInputElement).disabled = value === undefined || value === ZERO
  }
}

/**
 * The policy under the form's names.
 *
 * @throws {TypeError | RangeError} naming what cannot be used.
 */
export function makePolicy({ pcrs, debugMode }: PolicySource): CreatedKeyPolicy {
  const chosen = OPTIONAL.filter((index) => {
    const input = byId(`policy-pcr${index}`, HTMLInputElement)
    return input.checked && !input.disabled
  })
  const wanted = [0, 1, 2, ...chosen].flatMap((index) => {
    const value = pcrs[index]
    return value === undefined ? [] : [[index, value] as const]
  })
  return createKeyPolicy({
    account: byId('policy-account', HTMLInputElement).value.trim(),
    images: { pcrs: Object.fromEntries(wanted) },
    enclaveRoles: words('policy-role'),
    administrators: words('policy-administrator'),
    locked: byId('policy-locked', HTMLInputElement).checked,
    ...(debugMode ? { allowDebugMode: true } : {}),
  })
}

function words(id: string): readonly string[] {
  return byId(id, HTMLInputElement)
    .value.split(/[\s,]+/)
    .filter((word) => word !== '')
}
