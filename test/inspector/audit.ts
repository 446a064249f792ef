import type { Tab } from './tab.ts'

/** What WCAG 2.2 asks and a program can measure, as sentences about what falls short; none for a good page. */
export async function audit(tab: Tab): Promise<readonly string[]> {
  return [...(await tab.evaluate<string[]>(`(${measure.toString()})()`)), ...(await auditTree(tab))]
}

const CONTROLS = new Set([
  ...['button', 'textbox', 'checkbox', 'radio', 'spinbutton', 'link', 'DisclosureTriangle'],
  ...['group', 'progressindicator', 'region', 'table', 'list', 'DateTime', 'InputTime'],
])
/** Roles that may do without a name of their own. */
const NAMELESS = new Set(['list', 'group'])

/** Names and landmarks, as a screen reader is told (WCAG 1.3.1, 4.1.2). */
async function auditTree(tab: Tab): Promise<readonly string[]> {
  const nodes = await tab.accessibles()
  const found: string[] = []
  for (const { role, name } of nodes) {
    if (CONTROLS.has(role) && !NAMELESS.has(role) && name.trim() === '')
      found.push(`a ${role} without a name`)
  }
  for (const role of ['banner', 'main', 'contentinfo', 'status', 'heading']) {
    if (!nodes.some((node) => node.role === role)) found.push(`no ${role}`)
  }
  const levels = nodes
    .filter(({ role }) => role === 'heading')
    .map(({ properties }) => Number(properties['level']))
  if (levels[0] !== 1) found.push(`the first heading has level ${levels[0]}`)
  for (const [index, level] of levels.entries()) {
    const before = levels[index - 1] ?? 1
    if (level > before + 1) found.push(`a heading of level ${level} follows one of ${before}`)
  }
  return found
}

/** Runs in the page: contrast (1.4.3, 1.4.11), target size (2.5.8), reflow (1.4.10), ids, labels, focus order. */
function measure(): string[] {
  const found: string[] = []
  const page = (globalThis as unknown as { document: PageDocument }).document
  const styleOf = (globalThis as unknown as { getComputedStyle(one: PageElement): PageStyle })
    .getComputedStyle
  const say = (one: PageElement, text: string): void => {
    found.push(`${one.tagName.toLowerCase()}#${one.id}.${one.className}: ${text}`)
  }
  const parse = (color: string): number[] =>
    (color.match(/[\d.]+/g) ?? []).map(Number).concat([1]).slice(0, 4)
  const luminance = (rgb: number[]): number => {
    const [r = 0, g = 0, b = 0] = rgb.map((value) => {
      const share = value / 255
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (a: number[], b: number[]): number => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
    return (light + 0.05) / (dark + 0.05)
  }
  const backgroundOf = (one: PageElement | null): number[] => {
    for (let at = one; at !== null; at = at.parentElement) {
      const color = parse(styleOf(at).backgroundColor)
      if ((color[3] ?? 1) > 0) return color
    }
    return [255, 255, 255, 1]
  }
  const visible = (one: PageElement): boolean => {
    const { width, height } = one.getBoundingClientRect()
    return width > 1 && height > 1 && styleOf(one).visibility === 'visible'
  }

  for (const one of page.querySelectorAll('body *')) {
    if (!visible(one)) continue
    const text = [...one.childNodes].some(
      ({ nodeType, data }) => nodeType === 3 && (data ?? '').trim() !== '',
    )
    const style = styleOf(one)
    if (text && !one.matches('input:disabled + label, script, style, option')) {
      const size = Number.parseFloat(style.fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      const ratio = contrast(parse(style.color), backgroundOf(one))
      if (ratio < (large ? 3 : 4.5)) say(one, `contrast ${ratio.toFixed(2)}`)
    }
    if (one.matches('input:not([type=file]):not([type=checkbox]):not([type=radio]), textarea')) {
      const ratio = contrast(parse(style.borderTopColor), backgroundOf(one.parentElement))
      if (ratio < 3) say(one, `border contrast ${ratio.toFixed(2)}`)
    }
    if (one.matches('button, label.button, summary, textarea, input[type=text], input[type=url]')) {
      if (one.getBoundingClientRect().height < 24) say(one, 'a target lower than 24 px')
    }
    if (one.matches('input, textarea') && one.labels?.length === 0) say(one, 'no label')
  }
  const ids = [...page.querySelectorAll('[id]')].map(({ id }) => id)
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) found.push(`two #${id}`)
  for (const one of page.querySelectorAll('[aria-labelledby], [aria-describedby], [for]')) {
    const names = ['aria-labelledby', 'aria-describedby', 'for'].map((name) =>
      one.getAttribute(name),
    )
    for (const id of names) if (id !== null && !ids.includes(id)) say(one, `refers to no #${id}`)
  }
  if (page.querySelectorAll('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])').length > 0) {
    found.push('a positive tabindex')
  }
  const { scrollWidth, clientWidth, lang } = page.documentElement
  if (scrollWidth > clientWidth) found.push(`${scrollWidth} px wide in a window of ${clientWidth}`)
  if (lang === '' || page.title === '') found.push('no language or title')
  return found
}

interface PageStyle {
  readonly color: string
  readonly backgroundColor: string
  readonly borderTopColor: string
  readonly fontSize: string
  readonly fontWeight: string
  readonly visibility: string
}

interface PageElement {
  readonly tagName: string
  readonly id: string
  readonly className: string
  readonly lang: string
  readonly scrollWidth: number
  readonly clientWidth: number
  readonly parentElement: PageElement | null
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly data?: string }>
  readonly labels?: { readonly length: number } | null
  matches(selector: string): boolean
  getAttribute(name: string): string | null
  getBoundingClientRect(): { readonly width: number; readonly height: number }
}

interface PageDocument {
  readonly title: string
  readonly documentElement: PageElement
  querySelectorAll(selector: string): ArrayLike<PageElement> & Iterable<PageElement>
}
