import type { EifDescription } from '@enclavejs/eif'
import { element, type Child } from './element.ts'
import { icon } from './icon.ts'
import type { ImageState } from './image.ts'
import { formatSize, printable } from './text.ts'
import { errorBody } from './verdict.ts'

/** The image beside the document: how far measuring is, or what was found. */
export function imageView(state: ImageState, remove: () => void): readonly Child[] {
  switch (state.kind) {
    case 'none':
      return []
    case 'measuring':
      return [name(state.name), progress(state.done, state.total), button('Stop', remove)]
    case 'failed':
      return [
        name(state.name),
        element(
          'div',
          { class: 'refusal' },
          icon('cross'),
          element('div', {}, ...errorBody(state.error)),
        ),
        button('Remove', remove),
      ]
    case 'measured': {
      const { size, warnings, header } = state.description
      return [
        name(state.name),
        element(
          'p',
          { class: 'state' },
          icon('check'),
          `Measured: ${formatSize(size)}, ${header.architecture}`,
        ),
        warnings.length > 0 && warningsView(warnings),
        detailsView(state.description),
        button('Remove', remove),
      ]
    }
  }
}

function name(text: string): HTMLElement {
  return element('p', { class: 'file' }, icon('file'), element('bdi', {}, printable(text)))
}

function progress(done: number, total: number): HTMLElement {
  const percent = total === 0 ? 0 : Math.floor((100 * done) / total)
  return element(
    'label',
    { class: 'measuring' },
    element('span', {}, `Measuring, ${percent} %`),
    element('progress', { max: '100', value: String(percent) }),
  )
}

/** What a reviewer should read: PCRs do not tell where the kernel ends and the command line begins. */
function detailsView({ cmdline, kernel, metadata, signature, notes }: EifDescription): HTMLElement {
  const claimed = [metadata?.imageName, metadata?.imageVersion, metadata?.buildTool]
    .filter((text) => text !== undefined)
    .join(' ')
  return element(
    'details',
    {},
    element('summary', {}, 'What boots in it'),
    element(
      'dl',
      { class: 'fields stacked' },
      ...pair('Command line', cmdline.text),
      ...pair('SHA-384 of it', cmdline.sha384),
      ...pair('Kernel', kernel.release ?? kernel.format),
      ...pair('SHA-384 of it', kernel.sha384),
      ...pair('Signature', signature === undefined ? 'none' : 'there is one, see PCR8'),
      ...pair('Metadata, not measured', claimed === '' ? 'none' : claimed),
    ),
    element(
      'ul',
      { class: 'notes' },
      ...notes.map(({ code, message }) =>
        element('li', {}, element('code', {}, code), ' ', printable(message)),
      ),
    ),
  )
}

function pair(term: string, value: string): HTMLElement[] {
  return [element('dt', {}, term), element('dd', { class: 'mono' }, printable(value))]
}

function warningsView(warnings: readonly { code: string; message: string }[]): HTMLElement {
  return element(
    'div',
    { class: 'refusal' },
    icon('warning'),
    element(
      'div',
      {},
      element('p', {}, 'This image is doubtful, so the document was not compared with it:'),
      element(
        'ul',
        {},
        ...warnings.map(({ code, message }) =>
          element('li', {}, element('code', {}, code), ' ', printable(message)),
        ),
      ),
    ),
  )
}

function button(text: string, act: () => void): HTMLElement {
  const made = element('button', { type: 'button', class: 'quiet' }, text)
  made.addEventListener('click', act)
  return made
}
