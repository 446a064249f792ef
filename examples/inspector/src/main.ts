import { byId, element } from './element.ts'
import { documentView } from './document-view.ts'
import { listen, receive, type Receiver } from './drop.ts'
import {
  evidenceOfFile,
  evidenceOfText,
  evidenceOfUrl,
  MAX_EVIDENCE,
  refuseLarge,
} from './evidence.ts'
import { imageView } from './image-view.ts'
import { measure, notCompared, valuesOf, type ImageState } from './image.ts'
import { asError, codeOf, inspect, type Inspection } from './inspection.ts'
import { InspectorError } from './inspector-error.ts'
import { isAuthentic } from './meaning.ts'
import { faultOf, pathView } from './path-view.ts'
import { pcrView } from './pcr-view.ts'
import { arrangePolicy, policySource } from './policy.ts'
import { policyView } from './policy-view.ts'
import { arrangeSettings, choose, readSettings } from './settings.ts'
import { printable } from './text.ts'
import { announcement, verdictElement } from './verdict.ts'

/** The page: what was given, and what became of it. */
class Inspector implements Receiver {
  #evidence: Uint8Array | undefined
  #inspection: Inspection | undefined
  #image: ImageState = { kind: 'none' }
  #measuring = new AbortController()
  /** Counts what was begun, so that what ends late is dropped. */
  #turn = 0

  document(file: File): void {
    this.#take(file.name, async () => {
      refuseLarge(file.size)
      return evidenceOfFile(await readFile(file))
    })
  }

  text(text: string): void {
    byId('evidence-text', HTMLTextAreaElement).value = text.slice(0, 2 * MAX_EVIDENCE)
    this.#take('pasted text', async () => evidenceOfText(text))
  }

  /** What stands in the text field; nothing at all clears the page. */
  typed(): void {
    const { value } = byId('evidence-text', HTMLTextAreaElement)
    if (value.trim() !== '') this.#take('pasted text', async () => evidenceOfText(value))
    else this.clear()
  }

  url(address: string): void {
    this.#take(address, () => evidenceOfUrl(address))
  }

  image(file: File): void {
    this.#measuring.abort()
    this.#measuring = new AbortController()
    const { signal } = this.#measuring
    measure(file, signal, (state) => this.#setImage(state)).catch((error) => this.failed(error))
  }

  trustAnchor(pem: string): void {
    byId('anchor-pem', HTMLTextAreaElement).value = pem
    choose('anchor', 'own')
    byId('settings', HTMLDetailsElement).open = true
    this.judge()
  }

  clear(): void {
    this.#turn++
    this.#evidence = undefined
    this.#inspection = undefined
    byId('evidence-name', HTMLParagraphElement).textContent = ''
    this.#render()
  }

  /** Judges what is there under the settings as they are. */
  judge(): void {
    arrangeSettings()
    const bytes = this.#evidence
    if (bytes !== undefined) this.#take(undefined, async () => bytes)
    else this.#render()
  }

  renderPolicy(): void {
    const source = policySource(this.#inspection, this.#values())
    arrangePolicy(source)
    byId('policy', HTMLElement).hidden = this.#inspection === undefined && source === undefined
    byId('policy-form', HTMLFormElement).hidden = source === undefined || source.debugMode
    byId('policy-view', HTMLDivElement).replaceChildren(...policyView(source).filter(isNode))
  }

  failed(error: unknown): void {
    this.#evidence = undefined
    this.#show({ kind: 'unreadable', error: asError(error) })
  }

  #values(): ReturnType<typeof valuesOf> {
    return valuesOf(this.#image, byId('allow-doubtful', HTMLInputElement).checked)
  }

  #setImage(state: ImageState): void {
    const before = this.#image.kind
    this.#image = state
    byId('image-view', HTMLDivElement).replaceChildren(
      ...imageView(state, () => this.#removeImage()).filter(isNode),
    )
    byId('allow-doubtful-field', HTMLDivElement).hidden =
      state.kind !== 'measured' || state.description.warnings.length === 0
    if (state.kind === before) return
    if (state.kind !== 'none') say(`Image: ${state.kind}`)
    this.judge()
  }

  #removeImage(): void {
    this.#measuring.abort()
    byId('allow-doubtful', HTMLInputElement).checked = false
    byId('image-file', HTMLInputElement).value = ''
    this.#setImage({ kind: 'none' })
    byId('image-file', HTMLInputElement).focus()
  }

  #take(name: string | undefined, read: () => Promise<Uint8Array>): void {
    const turn = ++this.#turn
    // What is verified may not stand there while something else is looked at.
    byId('results', HTMLDivElement).ariaBusy = 'true'
    if (name !== undefined) byId('evidence-name', HTMLParagraphElement).textContent = ''
    const run = async (): Promise<void> => {
      const bytes = await read()
      const inspection = await inspect(bytes, readSettings, this.#values())
      if (turn !== this.#turn) return
      this.#evidence = bytes
      if (name !== undefined)
        byId('evidence-name', HTMLParagraphElement).textContent = shorten(name)
      this.#show(inspection)
    }
    run().catch((error) => {
      if (turn === this.#turn) this.failed(error)
    })
  }

  #show(inspection: Inspection): void {
    this.#inspection = inspection
    this.#render()
    say(announcement(inspection))
    // Beside the inputs it is in sight; below them, on a narrow screen, it may not be.
    byId('verdict', HTMLDivElement).scrollIntoView({ block: 'nearest' })
  }

  #render(): void {
    const inspection = this.#inspection
    const verdict = byId('verdict', HTMLDivElement)
    byId('results', HTMLDivElement).ariaBusy = 'false'
    byId('welcome', HTMLElement).hidden = inspection !== undefined
    byId('contents', HTMLDivElement).hidden =
      inspection === undefined || inspection.kind === 'unreadable'
    verdict.replaceChildren(
      ...(inspection === undefined
        ? []
        : [
            verdictElement(inspection, notCompared(this.#image), () => {
              choose('at', 'document')
              this.judge()
              byId('verdict', HTMLDivElement).focus()
            }),
          ]),
    )
    if (inspection !== undefined && inspection.kind !== 'unreadable')
      this.#renderContents(inspection)
    this.renderPolicy()
  }

  #renderContents(inspection: Exclude<Inspection, { kind: 'unreadable' }>): void {
    const { document } = inspection
    const verified = inspection.kind === 'accepted'
    const error = verified ? undefined : inspection.error
    const at = inspection.kind === 'unjudged' ? new Date() : inspection.at
    byId('contents', HTMLDivElement).dataset['verified'] = String(verified)
    const authentic = verified || isAuthentic(error && codeOf(error))
    byId('unverified-note', HTMLParagraphElement).hidden = verified
    byId('unverified-note', HTMLParagraphElement).replaceChildren(
      element('strong', {}, authentic ? 'Refused. ' : 'Not verified. '),
      authentic
        ? 'An enclave made this document, but it is not what you asked for.'
        : 'Everything below is what the document claims. Anybody could have written it.',
    )
    const image = this.#image.kind === 'measured' ? this.#image.description.pcrs : undefined
    byId('document-view', HTMLDivElement).replaceChildren(
      documentView(document, this.#evidence?.length ?? 0),
    )
    byId('path-view', HTMLDivElement).replaceChildren(
      pathView(document, at, { authentic, fault: faultOf(error) }),
    )
    byId('pcr-view', HTMLDivElement).replaceChildren(pcrView(document, image, authentic))
  }
}

function isNode(child: unknown): child is Node {
  return child instanceof Node
}

function shorten(name: string): string {
  return printable(name.length <= 80 ? name : `${name.slice(0, 79)}…`)
}

async function readFile(file: File): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.arrayBuffer())
  } catch (cause) {
    throw new InspectorError('ERR_INSPECTOR_READ', 'The browser could not read the file', { cause })
  }
}

/** To whoever listens instead of looking. */
function say(text: string): void {
  byId('announcer', HTMLDivElement).replaceChildren(element('p', {}, text))
}

function onFiles(id: string, take: (file: File) => void): void {
  const input = byId(id, HTMLInputElement)
  input.addEventListener('change', () => {
    const file = input.files?.[0]
    if (file !== undefined) take(file)
    input.value = ''
  })
}

function start(): void {
  const inspector = new Inspector()
  const failed = (error: unknown): void => inspector.failed(error)
  listen(inspector, failed)
  onFiles('evidence-file', (file) => void receive([file], inspector).catch(failed))
  onFiles('image-file', (file) => inspector.image(file))
  onFiles('anchor-file', (file) => {
    if (file.size > MAX_EVIDENCE) inspector.trustAnchor('')
    else file.text().then((pem) => inspector.trustAnchor(pem), failed)
  })
  byId('evidence-text', HTMLTextAreaElement).addEventListener('input', () => inspector.typed())
  byId('url-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    inspector.url(byId('url', HTMLInputElement).value)
  })
  byId('settings', HTMLDetailsElement).addEventListener('input', () => inspector.judge())
  byId('allow-doubtful', HTMLInputElement).addEventListener('input', () => inspector.judge())
  byId('policy-form', HTMLFormElement).addEventListener('input', () => inspector.renderPolicy())
  byId('policy-form', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault())
  arrangeSettings()
  inspector.renderPolicy()
  byId('page', HTMLElement).hidden = false
}

start()
