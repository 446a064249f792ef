import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const fence = /^ *(?:\* )?```ts\n([\s\S]*?)^ *(?:\* )?```$/gm

function examplesOf(file: string): string[] {
  const text = readFileSync(join(here, file), 'utf8')
  return [...text.matchAll(fence)].map(([, code = '']) => code.replaceAll(/^ \* ?/gm, ''))
}

describe.each([
  ['README.md', 7],
  ['src/forge.ts', 1],
] as const)('the examples of %s', (file, count) => {
  const examples = examplesOf(file)

  it('are found', () => {
    expect(examples).toHaveLength(count)
  })

  it('compile', () => {
    const config = ts.readConfigFile(join(here, '../../tsconfig.json'), (path) =>
      readFileSync(path, 'utf8'),
    )
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, join(here, '../..'))
    const files = new Map(examples.map((code, i) => [join(here, `example-${i}.mts`), code]))
    const host = ts.createCompilerHost(options)
    host.readFile = (path) => files.get(path) ?? ts.sys.readFile(path)
    host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path)
    const program = ts.createProgram([...files.keys()], options, host)
    const messages = ts
      .getPreEmitDiagnostics(program)
      .filter((diagnostic) => diagnostic.file === undefined || files.has(diagnostic.file.fileName))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    expect(messages).toEqual([])
  })

  it.each(examples.map((code, index) => [index, code] as const))(
    'run: %i',
    async (_index, code) => {
      const args = [
        '--conditions=@enclavejs/source',
        '--input-type=module-typescript',
        '--eval',
        code,
      ]
      await promisify(execFile)(process.execPath, args, { cwd: here, timeout: 30_000 })
    },
  )
})
