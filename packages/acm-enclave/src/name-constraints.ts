import {
  contentsOf,
  NAME_CONSTRAINTS,
  SUBJECT_ALT_NAME,
  type CertificateFields,
} from './certificate-fields.ts'
import { readElement, readElements, SEQUENCE, type Element } from './der.ts'

/** GeneralName (RFC 5280 §4.2.1.6), as far as constraints on it are understood. */
const DNS_NAME = 0x82
const DIRECTORY_NAME = 0xa4
const IP_ADDRESS = 0x87
const PERMITTED = 0xa0
const EXCLUDED = 0xa1
/** emailAddress (1.2.840.113549.1.9.1) in a subject is constrained as an rfc822Name is. */
const EMAIL_ADDRESS = Buffer.from('06092a864886f70d010901', 'hex')
const RFC822_NAME = 0x81
/** So that whoever writes a bundle cannot keep this process busy: a second of work would be 10,000,000. */
const COMPARISONS_MAX = 250_000
/** A part of a DNS name; a wildcard and a constraint's leading dot are taken off before. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * Whether a CA's nameConstraints allow all names of a certificate below it (RFC 5280 §4.2.1.10): DNS names, IP addresses, and
 * the subject, whose parts must be the same in every byte. A name of another form is allowed only where no constraint is
 * about that form.
 *
 * @returns what is wrong; undefined where nothing is
 */
export function violationOf(ca: CertificateFields, subject: CertificateFields): string | undefined {
  const extension = ca.extensions.get(NAME_CONSTRAINTS)
  if (extension === undefined) return undefined
  const lists = contentsOf(extension.value, SEQUENCE)
  const names = namesOf(subject)
  if (lists === undefined || lists.length === 0 || names === undefined) return MALFORMED
  const permitted = basesOf(lists.find(({ tag }) => tag === PERMITTED))
  const excluded = basesOf(lists.find(({ tag }) => tag === EXCLUDED))
  const isKnown = lists.every(({ tag }) => tag === PERMITTED || tag === EXCLUDED)
  if (permitted === undefined || excluded === undefined || !isKnown) return MALFORMED
  if (names.length * (permitted.length + excluded.length) > COMPARISONS_MAX) {
    return 'there are too many constraints for so many names'
  }
  for (const name of names) {
    const about = ({ tag }: Element): boolean => tag === name.tag
    const inside = permitted.filter(about).map((base) => isWithin(name, base))
    const outside = excluded.filter(about).map((base) => isWithin(name, base, 'in part'))
    if ([...inside, ...outside].includes(undefined))
      return 'a constraint or a name is not understood'
    if (outside.includes(true)) return 'a name is excluded'
    if (inside.length > 0 && !inside.includes(true)) return 'a name is not among those permitted'
  }
  return undefined
}

const MALFORMED = 'its nameConstraints, or the names below them, are malformed'

/** What constraints are about: the alternative names, and the subject where it is not empty. */
function namesOf({ subject, extensions }: CertificateFields): Element[] | undefined {
  const value = extensions.get(SUBJECT_ALT_NAME)?.value
  const names = value === undefined ? [] : contentsOf(value, SEQUENCE)
  if (names === undefined) return undefined
  const rest = new Uint8Array()
  const asDirectoryName = { tag: DIRECTORY_NAME, contents: subject, rest }
  const asMail = { tag: RFC822_NAME, contents: rest, rest }
  return [
    ...names.map((name) => (name.tag === DIRECTORY_NAME ? unwrapped(name) : name)),
    ...(subject.length > 0 ? [asDirectoryName] : []),
    ...(Buffer.from(subject).includes(EMAIL_ADDRESS) ? [asMail] : []),
  ]
}

/** A directoryName is tagged explicitly: its contents are a Name, which is a SEQUENCE. */
function unwrapped(name: Element): Element {
  const inner = readElement(name.contents)
  return inner?.tag === SEQUENCE ? { ...name, contents: inner.contents } : name
}

/** GeneralSubtrees. `minimum` and `maximum` must not be there. */
function basesOf(list: Element | undefined): Element[] | undefined {
  if (list === undefined) return []
  const bases: Element[] = []
  for (const { tag, contents } of readElements(list.contents) ?? [
    { tag: 0, contents: list.contents },
  ]) {
    const [base, ...more] = (tag === SEQUENCE && readElements(contents)) || []
    if (base === undefined || more.length > 0) return undefined
    bases.push(base.tag === DIRECTORY_NAME ? unwrapped(base) : base)
  }
  return bases.length === 0 ? undefined : bases
}

type Extent = 'in whole' | 'in part'

/** Undefined where the form, or what is written in it, is not understood. */
function isWithin(name: Element, base: Element, extent: Extent = 'in whole'): boolean | undefined {
  switch (name.tag) {
    case DNS_NAME:
      return isDnsWithin(text(name), text(base), extent)
    case IP_ADDRESS:
      return isAddressWithin(name.contents, base.contents)
    case DIRECTORY_NAME:
      return Buffer.from(name.contents.subarray(0, base.contents.length)).equals(base.contents)
    default:
      return undefined
  }
}

function text({ contents }: Element): string {
  return Buffer.from(contents).toString('latin1').toLowerCase()
}

/** Of a wildcard's names, some may be within a base that is one label longer: `*.example.com` in `www.example.com`. */
function isDnsWithin(name: string, base: string, extent: Extent): boolean | undefined {
  const isWildcard = name.startsWith('*.')
  const labels = name.slice(isWildcard ? 2 : 0).split('.')
  const constraint = base === '' ? [] : base.split('.')
  if (![...labels, ...constraint].every((label) => LABEL.test(label))) return undefined
  if (isWildcard && extent === 'in part' && constraint.length === labels.length + 1) {
    return constraint.slice(1).join('.') === labels.join('.')
  }
  return constraint.length === 0 || labels.slice(-constraint.length).join('.') === base
}

function isAddressWithin(address: Uint8Array, base: Uint8Array): boolean | undefined {
  const { length } = address
  const isAddress = length === 4 || length === 16
  const isRange = base.length === 8 || base.length === 32
  if (!isAddress || !isRange) return undefined
  if (base.length !== 2 * length) return false
  return address.every((octet, index) => {
    const mask = base[length + index] as number
    return (octet & mask) === ((base[index] as number) & mask)
  })
}
