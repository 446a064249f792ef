import { isImage } from './image.ts'
import { MAX_EVIDENCE } from './evidence.ts'
import { byId } from './element.ts'

/** What becomes of things that are dropped or pasted anywhere on the page. */
export interface Receiver {
  document(file: File): void
  image(file: File): void
  text(text: string): void
  trustAnchor(pem: string): void
}

/** Takes files by what they begin with: an image, a certificate in PEM, else a document. */
export async function receive(files: Iterable<File>, receiver: Receiver): Promise<void> {
  for (const file of [...files].slice(0, 4)) {
    if (await isImage(file)) receiver.image(file)
    else if (file.size > MAX_EVIDENCE && /\.eif$/i.test(file.name)) receiver.image(file)
    else if (file.size <= MAX_EVIDENCE && (await beginsWith(file, '-----BEGIN CERTIFICATE-----'))) {
      receiver.trustAnchor(await file.text())
    } else receiver.document(file)
  }
}

async function beginsWith(file: File, text: string): Promise<boolean> {
  return (await file.slice(0, text.length).text()) === text
}

/** Listens on the whole page. Text fields keep their own paste. */
export function listen(receiver: Receiver, failed: (error: unknown) => void): void {
  const zone = byId('drop-veil', HTMLDivElement)
  let depth = 0
  const veil = (change: number): void => {
    depth = Math.max(0, depth + change)
    zone.hidden = depth === 0
  }
  document.addEventListener('dragenter', (event) => {
    event.preventDefault()
    veil(1)
  })
  document.addEventListener('dragleave', () => veil(-1))
  document.addEventListener('dragover', (event) => event.preventDefault())
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    veil(-depth)
    take(event.dataTransfer, receiver, failed)
  })
  document.addEventListener('paste', (event) => {
    const field =
      event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement
    if (field && event.clipboardData?.files.length === 0) return
    event.preventDefault()
    take(event.clipboardData, receiver, failed)
  })
}

function take(
  data: DataTransfer | null,
  receiver: Receiver,
  failed: (error: unknown) => void,
): void {
  if (data === null) return
  if (data.files.length > 0) receive(data.files, receiver).catch(failed)
  else {
    const text = data.getData('text/plain')
    if (text !== '') receiver.text(text)
  }
}
