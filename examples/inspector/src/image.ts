import {
  blobSource,
  describeImage,
  referenceValues,
  type EifDescription,
  type EifReferenceValues,
} from '@enclavejs/eif'
import { asError } from './inspection.ts'
import { InspectorError } from './inspector-error.ts'
import { createSha384 } from './sha384.ts'

/** The image beside the document. */
export type ImageState =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'measuring'
      readonly name: string
      readonly done: number
      readonly total: number
    }
  | { readonly kind: 'failed'; readonly name: string; readonly error: Error }
  | { readonly kind: 'measured'; readonly name: string; readonly description: EifDescription }

/** An enclave's memory holds the image, and no instance has that much. */
const MAX_IMAGE = 16 * 1024 ** 3

/** Measures an image in the page; `show` is called with every step, and not after `signal`. */
export async function measure(
  file: File,
  signal: AbortSignal,
  show: (state: ImageState) => void,
): Promise<void> {
  const { name } = file
  show({ kind: 'measuring', name, done: 0, total: file.size })
  try {
    if (file.size > MAX_IMAGE) {
      throw new InspectorError('ERR_INSPECTOR_SIZE', 'At most 16 GiB were expected')
    }
    const description = await describeImage(blobSource(file), {
      ...{ createHash: createSha384, signal },
      onProgress: ({ done, total }) => {
        if (!signal.aborted) show({ kind: 'measuring', name, done, total })
      },
    })
    if (!signal.aborted) show({ kind: 'measured', name, description })
  } catch (error) {
    if (!signal.aborted) show({ kind: 'failed', name, error: asError(error) })
  }
}

/** What a measured image asks of a document; undefined where none is measured, or it is doubtful and nobody insists. */
export function valuesOf(
  image: ImageState,
  allowDoubtful: boolean,
): EifReferenceValues | undefined {
  if (image.kind !== 'measured') return undefined
  const { description } = image
  if (description.warnings.length > 0 && !allowDoubtful) return undefined
  return referenceValues(description, { label: 'image', allowDoubtful })
}

/** Why a document is not compared with the image, for the verdict. */
export function notCompared(image: ImageState): string {
  switch (image.kind) {
    case 'none':
      return 'Image: not compared'
    case 'measuring':
      return 'Image: still being measured, not compared yet'
    case 'failed':
      return 'Image: refused, so not compared'
    case 'measured':
      return 'Image: doubtful, so not compared'
  }
}

/** Whether a file begins as an image does. */
export async function isImage(file: Blob): Promise<boolean> {
  const bytes = new Uint8Array(await file.slice(0, 4).arrayBuffer())
  return String.fromCharCode(...bytes) === '.eif'
}
