import {
  decodeCertificate,
  type UnverifiedAttestationDocument,
  type UnverifiedCertificate,
} from '@enclavejs/attestation'
import { element, svgElement } from './element.ts'
import { icon, type IconName } from './icon.ts'
import { asError } from './inspection.ts'
import { formatDate, formatDuration, printable } from './text.ts'

/** Whom Nitro's certificates stand for, in the order of `cabundle`. */
const NITRO = ['Root', 'Region', 'Zone', 'Parent instance']

/** Where the path was found at fault: `cabundle[1]`, `certificate`. */
export function faultOf(error: Error | undefined): string | undefined {
  return error !== undefined && 'certificate' in error && typeof error.certificate === 'string'
    ? error.certificate
    : undefined
}

/**
 * The certification path from the root down to the certificate that signed, with the validity of each and where the time
 * of judging lies in it. Of a document that is not authentic nothing looks good.
 */
export function pathView(
  document: UnverifiedAttestationDocument,
  at: Date,
  trust: { readonly authentic: boolean; readonly fault: string | undefined },
): HTMLElement {
  const roles = document.cabundle.length === NITRO.length ? NITRO : NITRO.slice(0, 1)
  const members = [...document.cabundle, document.certificate]
  return element(
    'ol',
    { class: 'path' },
    ...members.map((der, index) => {
      const last = index === members.length - 1
      const place = last ? 'certificate' : `cabundle[${index}]`
      const role = last ? 'Enclave, signs the document' : (roles[index] ?? `Authority ${index}`)
      return memberView(der, role, place, at, {
        ...{ authentic: trust.authentic, faulty: trust.fault === place },
      })
    }),
  )
}

function memberView(
  der: Uint8Array,
  role: string,
  place: string,
  at: Date,
  { authentic, faulty }: { readonly authentic: boolean; readonly faulty: boolean },
): HTMLElement {
  let certificate: UnverifiedCertificate
  try {
    certificate = decodeCertificate(der)
  } catch (cause) {
    return element(
      'li',
      { 'data-state': 'fault' },
      head(role, place, 'cross', 'Unreadable'),
      element('p', { class: 'detail' }, printable(asError(cause).message)),
    )
  }
  const { notBefore, notAfter, subject, issuer } = certificate
  const time = at.getTime()
  const state: readonly [IconName, string, string] = faulty
    ? ['cross', 'Refused here', 'fault']
    : time > notAfter.getTime()
      ? ['cross', `Ended ${formatDuration(time - notAfter.getTime())} before`, 'ended']
      : time < notBefore.getTime()
        ? ['clock', 'Not valid yet', 'ended']
        : authentic
          ? ['check', `In its time, ${formatDuration(notAfter.getTime() - time)} left`, 'valid']
          : ['dash', `${formatDuration(notAfter.getTime() - time)} left, not verified`, 'claimed']
  return element(
    'li',
    { 'data-state': state[2] },
    head(role, place, state[0], state[1]),
    element('p', { class: 'subject' }, element('bdi', {}, commonName(subject))),
    validity(notBefore, notAfter, at),
    element(
      'details',
      {},
      element('summary', {}, `More of ${place}`),
      element(
        'dl',
        { class: 'fields' },
        ...pair('Subject', printable(subject)),
        ...pair('Issuer', printable(issuer)),
        ...pair('Serial number', certificate.serialNumber),
        ...pair('Authority', certificate.ca ? authority(certificate) : 'no'),
        ...pair('Key usage', certificate.keyUsage.join(', ') || 'none'),
        ...pair('Size', `${der.length} bytes`),
      ),
    ),
  )
}

function head(role: string, place: string, name: IconName, state: string): HTMLElement {
  return element(
    'div',
    { class: 'member' },
    element('h3', {}, role),
    element('span', { class: 'place mono' }, place),
    element('span', { class: 'state' }, icon(name), state),
  )
}

function pair(term: string, value: string): HTMLElement[] {
  return [element('dt', {}, term), element('dd', { class: 'mono' }, value)]
}

function authority({ pathLenConstraint: length }: UnverifiedCertificate): string {
  return length === undefined ? 'yes' : `yes, at most ${length} below it`
}

/** RFC 4514 puts the most specific name first. */
function commonName(subject: string): string {
  return printable(/(?:^|,)CN=((?:\\.|[^,\\])*)/.exec(subject)?.[1] ?? subject)
}

/** Both dates, and between them a line with the place of the time of judging. */
function validity(notBefore: Date, notAfter: Date, at: Date): HTMLElement {
  const length = notAfter.getTime() - notBefore.getTime()
  const share = length <= 0 ? 0 : (at.getTime() - notBefore.getTime()) / length
  const inside = share >= 0 && share <= 1
  const x = `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(2)}%`
  return element(
    'div',
    { class: 'validity' },
    element('time', { datetime: notBefore.toISOString() }, formatDate(notBefore)),
    svgElement(
      'svg',
      { class: 'span', 'aria-hidden': 'true', focusable: 'false' },
      svgElement('line', { x1: '0', x2: '100%', y1: '6', y2: '6', class: 'line' }),
      svgElement('line', { x1: '0', x2: x, y1: '6', y2: '6', class: 'past' }),
      svgElement('circle', { cx: x, cy: '6', r: '5', class: inside ? 'at' : 'at outside' }),
    ),
    element('time', { datetime: notAfter.toISOString() }, formatDate(notAfter)),
  )
}
