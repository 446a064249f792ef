/** A code and what a README says of it. */
export interface ErrorEntry {
  readonly code: string
  readonly meaning: string
}

/** The rows of a README's tables whose first cell names codes; `…_X` stands for the package's prefix and `X`. */
export function readErrorEntries(readme: string): ErrorEntry[] {
  return readme.split('\n').flatMap((line) => {
    const [, names = '', ...rest] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    const prefix = /^`(ERR_[A-Z]+)_/.exec(names)?.[1]
    if (prefix === undefined) return []
    const meaning = rest.filter((cell) => cell !== '').join('. ')
    return [...names.matchAll(/`(?:ERR_[A-Z]+|…)(_[A-Z0-9_]+)`/g)].map(([, end]) => ({
      code: `${prefix}${end}`,
      meaning,
    }))
  })
}

/** One page with every code, for a search by what stands in a log. */
export function writeErrorsPage(readmes: ReadonlyMap<string, string>): string {
  const parts = [...readmes].flatMap(([name, text]) => {
    const rows = readErrorEntries(text).map(({ code, meaning }) => `### ${code}\n\n${meaning}\n`)
    return rows.length === 0 ? [] : [`## [@enclavejs/${name}](./packages/${name}.md)\n`, ...rows]
  })
  return [
    '# Every error code\n',
    'Match `code`, not the message or the class: codes are stable. What to do about those that people meet most stands in',
    '[Troubleshooting](./guide/troubleshooting.md).\n',
    ...parts,
  ].join('\n')
}
