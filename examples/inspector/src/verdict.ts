import { element, type Child } from './element.ts'
import { icon, type IconName } from './icon.ts'
import { codeOf, type Inspection } from './inspection.ts'
import { meaningOf } from './meaning.ts'
import { formatDate, formatDuration, printable } from './text.ts'

type Accepted = Extract<Inspection, { kind: 'accepted' }>

/** What the verdict looks like: `data-verdict` gives the colour, the icon the shape, the title the word. */
interface Verdict {
  readonly tone: 'verified' | 'genuine' | 'archived' | 'refused' | 'unverified'
  readonly icon: IconName
  readonly title: string
  readonly body: readonly Child[]
}

/** The verdict over a document, as an element; `imageNote` says why no image was compared, `suggest` judges as of the
 * document's own time. */
export function verdictElement(
  inspection: Inspection,
  imageNote: string,
  suggest: () => void,
): HTMLElement {
  const verdict = verdictOf(inspection, imageNote, suggest)
  return element(
    'div',
    { class: 'verdict', 'data-verdict': verdict.tone },
    element('div', { class: 'verdict-mark' }, icon(verdict.icon)),
    element('div', { class: 'verdict-text' }, element('h2', {}, verdict.title), ...verdict.body),
  )
}

function verdictOf(inspection: Inspection, imageNote: string, suggest: () => void): Verdict {
  switch (inspection.kind) {
    case 'accepted':
      return accepted(inspection, imageNote)
    case 'unreadable':
      return {
        tone: 'refused',
        icon: 'cross',
        title: 'Refused: not a document',
        body: errorBody(inspection.error),
      }
    case 'unjudged':
      return {
        tone: 'unverified',
        icon: 'question',
        title: 'Decoded, NOT verified',
        body: [
          paragraph(
            'The settings cannot be used, so nothing was checked. Do not rely on anything below.',
          ),
          paragraph(printable(inspection.error.message)),
        ],
      }
    case 'refused': {
      const code = codeOf(inspection.error)
      const body = [
        ...errorBody(inspection.error),
        paragraph(`Judged as of ${formatDate(inspection.at)}.`),
      ]
      const old =
        code === 'ERR_ATTESTATION_CERTIFICATE_EXPIRED' || code === 'ERR_ATTESTATION_TOO_OLD'
      if (old && inspection.at.getTime() > inspection.document.timestamp.getTime()) {
        const button = element(
          'button',
          { type: 'button', id: 'own-time' },
          `Judge it as of its own time, ${formatDate(inspection.document.timestamp)}`,
        )
        button.addEventListener('click', () => suggest())
        body.push(button)
      }
      return { tone: 'refused', icon: 'cross', title: 'Refused: NOT verified', body }
    }
  }
}

function accepted(inspection: Accepted, imageNote: string): Verdict {
  const { document, archived, at, imageCompared } = inspection
  const own = document.trustAnchor.partition === undefined
  // Whoever sends a document may send a root along with it.
  const under = own ? ', under your own root' : ''
  const whose = imageCompared ? 'runs the image beside it' : 'runs an image that was not compared'
  const body = [
    paragraph(
      archived
        ? `An enclave made this document, and at that time it was good. It ${whose.replace('runs', 'ran')}. It may be gone by now: this says nothing of today.`
        : `An enclave made this document ${formatDuration(at.getTime() - document.timestamp.getTime())} ago. It ${whose}.`,
    ),
    !imageCompared &&
      paragraph(
        'Anybody with an AWS account can get this far. Put the image beside it, or compare the PCRs below yourself.',
      ),
    own &&
      warning('Its root is your own trust anchor, not AWS’s: it is worth what that root is worth.'),
    document.debugMode &&
      warning('Debug mode: the parent reads the console of this enclave. It holds no secret.'),
    checks(inspection, imageNote),
  ]
  if (archived) {
    const word = imageCompared ? 'verified' : 'genuine'
    return {
      tone: 'archived',
      icon: 'clock',
      title: `Was ${word} on ${formatDate(at)}${under}`,
      body,
    }
  }
  if (document.debugMode) {
    return {
      tone: 'unverified',
      icon: 'warning',
      title: `Genuine, but in debug mode${under}`,
      body,
    }
  }
  return imageCompared
    ? { tone: 'verified', icon: 'check', title: `Verified${under}`, body }
    : { tone: 'genuine', icon: 'dash', title: `Genuine, image not compared${under}`, body }
}

function checks(inspection: Accepted, imageNote: string): HTMLElement {
  const { document, archived, at, imageCompared, nonceCompared } = inspection
  const { partition, subject } = document.trustAnchor
  const root = partition === undefined ? printable(subject) : `AWS, partition ${partition}`
  const lines: readonly (readonly [IconName, string])[] = [
    ['check', 'The signature is that of the certificate'],
    ['check', `The certification path ends in the root: ${root}`],
    ['check', `Every certificate was valid on ${formatDate(at)}`],
    archived
      ? ['dash', 'Freshness: not asked of a document of the past']
      : ['check', `Not older than ${inspection.settings.maxAge} seconds`],
    nonceCompared ? ['check', 'It answers your nonce'] : ['dash', 'Nonce: not compared'],
    imageCompared ? ['check', 'PCR0, PCR1 and PCR2 are those of the image'] : ['dash', imageNote],
  ]
  return element(
    'ul',
    { class: 'checks', 'aria-label': 'What was checked' },
    ...lines.map(([name, text]) =>
      element('li', { 'data-check': name }, icon(name), element('span', {}, text)),
    ),
  )
}

/** An error by its code, what it means, and what the package says of it. */
export function errorBody(error: Error): HTMLElement[] {
  const code = codeOf(error)
  return [
    element('p', {}, element('code', { class: 'code' }, code ?? error.name)),
    paragraph(code === undefined ? 'It could not be judged.' : meaningOf(code)),
    element('p', { class: 'detail' }, printable(error.message)),
  ]
}

function paragraph(text: string): HTMLElement {
  return element('p', {}, text)
}

function warning(text: string): HTMLElement {
  return element('p', { class: 'warning' }, icon('warning'), element('span', {}, text))
}

/** One line for a screen reader, when the verdict changes. */
export function announcement(inspection: Inspection): string {
  const { title } = verdictOf(inspection, '', () => {})
  const code = inspection.kind === 'accepted' ? undefined : codeOf(inspection.error)
  return code === undefined ? title : `${title}. ${code}. ${meaningOf(code)}`
}
