import { svgElement } from './element.ts'

/** Shapes differ, not colours alone: check, cross, clock, question, dash. */
export type IconName = 'check' | 'cross' | 'clock' | 'question' | 'dash' | 'warning' | 'file'

const PATHS: Readonly<Record<IconName, string>> = {
  check: 'M4 12.5l5 5L20 6.5',
  cross: 'M6 6l12 12M18 6L6 18',
  clock: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 7.5V12l3.5 2',
  question: 'M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1.1-1.5 2.3M12 18.2v.3',
  dash: 'M5 12h14',
  warning: 'M12 4L2.5 20.5h19zM12 10v5M12 17.7v.3',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
}

/** A decorative icon; the text beside it says the same. */
export function icon(name: IconName): SVGSVGElement {
  return svgElement(
    'svg',
    {
      ...{ viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true', focusable: 'false' },
      ...{ fill: 'none', stroke: 'currentColor', 'stroke-width': '2.25' },
      ...{ 'stroke-linecap': 'round', 'stroke-linejoin': 'round' },
    },
    svgElement('path', { d: PATHS[name] }),
  )
}
