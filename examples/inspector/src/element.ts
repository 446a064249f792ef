/** What may stand inside an element. Strings become text nodes, never markup. */
export type Child = Node | string | false | undefined

/** Attributes; `true` gives an empty one, `false` and undefined none. */
export type Attributes = Readonly<Record<string, string | boolean | undefined>>

const SVG = 'http://www.w3.org/2000/svg'
const REFUSED = /^(?:on|style$|srcdoc$)/i

/** A new element. This is the only way this page makes elements, and nothing in it parses markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children)
}

/** A new SVG element. */
export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS(SVG, tag), attributes, children)
}

function fill<Kind extends Element>(
  target: Kind,
  attributes: Attributes,
  children: readonly Child[],
): Kind {
  for (const [name, value] of Object.entries(attributes)) {
    if (REFUSED.test(name)) throw new TypeError(`no attribute ${name} here`)
    if (value === true) target.setAttribute(name, '')
    else if (value !== false && value !== undefined) target.setAttribute(name, value)
  }
  target.append(...children.filter((child) => child !== false && child !== undefined))
  return target
}

/** The element of the page with that id, of that type. */
export function byId<Kind extends HTMLElement>(id: string, type: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`)
  return found
}
