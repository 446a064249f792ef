import { issueAttestationDocument, type CertificateAuthority } from '@enclavejs/simulator'

/** What a document is to say. */
export interface GenuineFields {
  readonly nonce: Uint8Array
  readonly publicKey?: Uint8Array
  readonly userData?: Uint8Array
}

/** A document that the simulated hardware would sign for an enclave with these PCRs. */
export function genuineDocument(
  authority: CertificateAuthority,
  pcrs: Readonly<Record<number, string>>,
  fields: GenuineFields,
): Uint8Array {
  const values = Object.entries(pcrs).map(
    ([index, hex]) => [Number(index), new Uint8Array(Buffer.from(hex, 'hex'))] as const,
  )
  const { moduleId } = authority
  const document = { moduleId, timestamp: Date.now(), pcrs: new Map(values), ...fields }
  return issueAttestationDocument(document, authority.issueLeaf())
}
