import type { UnverifiedAttestationDocument } from '@enclavejs/attestation'
import { element, type Child } from './element.ts'
import { formatDate, formatSize, printable, readableText, toHex } from './text.ts'

/** The fields of a document, apart from PCRs and certificates. */
export function documentView(document: UnverifiedAttestationDocument, size: number): HTMLElement {
  const { timestamp } = document
  return element(
    'dl',
    { class: 'fields' },
    ...row('Module', element('bdi', { class: 'mono' }, printable(document.moduleId))),
    ...row('Made', element('time', { datetime: timestamp.toISOString() }, formatDate(timestamp))),
    ...row('Digest of PCRs', document.digest),
    ...row('Size', formatSize(size)),
    ...row('Public key', ...bytesView(document.publicKey)),
    ...row('User data', ...bytesView(document.userData)),
    ...row('Nonce', ...bytesView(document.nonce)),
  )
}

function row(term: string, ...values: readonly Child[]): HTMLElement[] {
  return [element('dt', {}, term), element('dd', {}, ...values)]
}

function bytesView(bytes: Uint8Array | null): readonly Child[] {
  if (bytes === null) return [element('span', { class: 'none' }, 'none')]
  if (bytes.length === 0) return [element('span', { class: 'none' }, 'present, empty')]
  const text = readableText(bytes)
  const hex = toHex(bytes)
  return [
    text !== undefined && element('p', {}, 'Text: ', element('bdi', {}, `“${printable(text)}”`)),
    bytes.length <= 64
      ? element('span', { class: 'mono' }, hex)
      : element(
          'details',
          {},
          element('summary', {}, `${bytes.length} bytes`),
          element('p', { class: 'mono' }, hex),
        ),
  ]
}
