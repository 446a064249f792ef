import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A fenced block of a README or of a docstring. */
export interface Block {
  /** Path from the root of the repository. */
  readonly file: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  /** What stands after the fence: `ts`, `ts no-run`, `sh`, `console`… */
  readonly info: string
  readonly language: string
  readonly code: string
}

/** README.md of the root and of every package, and the guide. */
export function readmeFiles(): string[] {
  const found = ['packages/*/README.md', 'docs/guide/*.md'].flatMap((pattern) =>
    globSync(pattern, { cwd: root }).sort(),
  )
  const names = ['README.md', ...found]
  return names.filter((name) => existsSync(join(root, name)))
}

export function readText(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** The fenced blocks of Markdown text that begins at `firstLine` of its file. */
export function fencedBlocks(file: string, text: string, firstLine = 1): Block[] {
  const blocks: Block[] = []
  let open:
    { indent: string; fence: string; info: string; line: number; code: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const [, indent = '', fence = '', info = ''] = /^(\s*)(`{3,})\s*(.*?)\s*$/.exec(line) ?? []
    if (open === undefined) {
      if (fence === '') continue
      open = { indent, fence, info, line: firstLine + index + 1, code: [] }
    } else if (fence.length >= open.fence.length && info === '') {
      const language = open.info.split(/\s/)[0] as string
      blocks.push({ file, line: open.line, info: open.info, language, code: open.code.join('\n') })
      open = undefined
    } else {
      open.code.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line)
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: a block that does not end`)
  return blocks
}

/** The docstrings of a source file, without their stars. */
export function docstrings(file: string): { readonly line: number; readonly text: string }[] {
  const source = readText(file)
  return [...source.matchAll(/\/\*\*([\s\S]*?)\*\//g)].map((match) => ({
    line: source.slice(0, match.index).split('\n').length,
    text: (match[1] as string)
      .split('\n')
      .map((line) => line.replace(/^\s*\* ?/, ''))
      .join('\n'),
  }))
}

/** The sources of all packages. */
export function sourceFiles(): string[] {
  return globSync('packages/*/src/**/*.ts', { cwd: root }).sort()
}

export function nameOf({ file, line }: Block): string {
  return `${file}:${line}`
}
