import type { UnverifiedAttestationDocument } from '@enclavejs/attestation'
import type { EifPcrs } from '@enclavejs/eif'
import { element } from './element.ts'
import { icon, type IconName } from './icon.ts'
import { toHex } from './text.ts'

const MEANINGS: Readonly<Record<number, string>> = {
  0: 'Image',
  1: 'Kernel and boot',
  2: 'Application',
  3: 'Role of the parent',
  4: 'Parent instance',
  8: 'Signing certificate',
}
const COMPARED = [0, 1, 2, 8] as const
const ZERO = '0'.repeat(96)

/** How a PCR of a document compares with the image's. */
export type PcrComparison = 'equal' | 'different' | 'not compared'

/** PCRs as a table, those of the image beside them. */
export function pcrView(
  document: UnverifiedAttestationDocument,
  image: EifPcrs | undefined,
  authentic: boolean,
): HTMLElement {
  const rows = [...document.pcrs].sort(([a], [b]) => a - b)
  const zero = rows.filter(([index, value]) => index > 4 && index !== 8 && toHex(value) === ZERO)
  const shown = rows.filter((row) => !zero.includes(row))
  return element(
    'div',
    { class: 'pcrs' },
    element(
      'table',
      // On narrow screens rows are blocks, and browsers then forget that it is a table.
      { role: 'table' },
      element(
        'caption',
        {},
        image === undefined
          ? 'Put the image beside the document to compare them.'
          : 'Compared with the image, as measured in this page.',
      ),
      element(
        'thead',
        { role: 'rowgroup' },
        element(
          'tr',
          { role: 'row' },
          ...['PCR', 'Value', 'Image'].map((text) =>
            element('th', { scope: 'col', role: 'columnheader' }, text),
          ),
        ),
      ),
      element(
        'tbody',
        { role: 'rowgroup' },
        ...shown.map(([index, value]) => rowView(index, toHex(value), image, authentic)),
        ...absent(document, image),
      ),
    ),
    zero.length > 0 &&
      element('p', { class: 'note' }, `Zero: PCR${zero.map(([index]) => index).join(', PCR')}`),
  )
}

function rowView(
  index: number,
  value: string,
  image: EifPcrs | undefined,
  authentic: boolean,
): HTMLElement {
  const expected = expectedOf(index, image)
  const comparison = compare(value, expected)
  return element(
    'tr',
    {
      'data-pcr': String(index),
      'data-comparison': comparison,
      'data-authentic': String(authentic),
      role: 'row',
    },
    element(
      'th',
      { scope: 'row', role: 'rowheader' },
      `PCR${index}`,
      element('span', { class: 'meaning' }, MEANINGS[index] ?? 'Application’s own'),
    ),
    element(
      'td',
      { role: 'cell' },
      value === ZERO
        ? element('span', { class: 'none' }, index <= 2 ? 'zero, as in debug mode' : 'zero')
        : element('span', { class: 'mono' }, value),
      comparison === 'different' &&
        element(
          'span',
          { class: 'expected' },
          'The image has ',
          element('span', { class: 'mono' }, expected === ZERO ? 'zero' : expected),
        ),
    ),
    element('td', { class: 'comparison', role: 'cell' }, comparisonView(comparison, authentic)),
  )
}

/** PCRs that the image has and the document has not. */
function absent(
  document: UnverifiedAttestationDocument,
  image: EifPcrs | undefined,
): HTMLElement[] {
  return COMPARED.filter((index) => image?.[index] !== undefined && !document.pcrs.has(index)).map(
    (index) =>
      element(
        'tr',
        { 'data-pcr': String(index), 'data-comparison': 'different', role: 'row' },
        element('th', { scope: 'row', role: 'rowheader' }, `PCR${index}`),
        element('td', { role: 'cell' }, element('span', { class: 'none' }, 'not in the document')),
        element('td', { class: 'comparison', role: 'cell' }, comparisonView('different', false)),
      ),
  )
}

/** What the image says of a PCR. PCR8 of an unsigned image is zero. */
function expectedOf(index: number, image: EifPcrs | undefined): string | undefined {
  if (image === undefined || !(COMPARED as readonly number[]).includes(index)) return undefined
  return image[index as (typeof COMPARED)[number]] ?? ZERO
}

function compare(value: string, expected: string | undefined): PcrComparison {
  if (expected === undefined) return 'not compared'
  return value === expected ? 'equal' : 'different'
}

function comparisonView(comparison: PcrComparison, authentic: boolean): HTMLElement {
  const icons: Readonly<Record<PcrComparison, IconName>> = {
    equal: 'check',
    different: 'cross',
    'not compared': 'dash',
  }
  // What a document claims may equal the image, and mean nothing.
  const claimed = comparison === 'equal' && !authentic
  return element(
    'div',
    {},
    icon(claimed ? 'question' : icons[comparison]),
    element('span', {}, claimed ? 'equal, not verified' : comparison),
  )
}
