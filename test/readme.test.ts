// What the READMEs and docstrings show is compiled and run, and what they list is compared with the code.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { APPRAISAL_FLAGS } from '../packages/cli/src/appraisal.ts'
import {
  docstrings,
  fencedBlocks,
  nameOf,
  readmeFiles,
  readText,
  root,
  sourceFiles,
  type Block,
} from './readme/block.ts'
import { Playground } from './readme/playground.ts'
import { pattern, readTranscript } from './readme/transcript.ts'
import { propertiesOf, typeCheck, type TypeCheck, type VirtualModule } from './readme/type-check.ts'
import { vectors } from './vectors.ts'

/** Commands of `sh` and `console` blocks that are not run here, each with its reason. Each must occur somewhere. */
const NOT_RUN: readonly (readonly [command: RegExp, reason: string])[] = [
  [/^npm install (?:--save-dev )?(?:@enclavejs\/[a-z-]+ ?)+$/, 'installs from the registry'],
  [/^npm ci && npm run demo/, 'test/demo.test.ts runs the demo; npm ci is what made this folder'],
  [/^npm test/, 'this is it'],
]

const PUBLISHED = [
  'acm-enclave',
  'attestation',
  'attested-tls',
  'cli',
  'eif',
  'kms-enclave',
  'launcher',
  'nsm',
  'simulator',
  'vsock',
]
const REAL = '2024-01-16-enclave-libsignal-2e7e810f.bin'

const readmeBlocks = readmeFiles().flatMap((file) => fencedBlocks(file, readText(file)))
const docBlocks = sourceFiles().flatMap((file) =>
  docstrings(file).flatMap(({ line, text }) => fencedBlocks(file, text, line)),
)
const real = vectors(join('attestation-docs', REAL))

const playground = new Playground()
afterAll(() => playground.remove())

/** The files that the READMEs speak of. */
function furnish(): void {
  const document = real === undefined ? undefined : decodeAttestationDocument(readFileSync(real))
  const hex = (index: number): string =>
    Buffer.from(document?.pcrs.get(index) ?? new Uint8Array(48).fill(index + 1)).toString('hex')
  const [PCR0, PCR1, PCR2] = [hex(0), hex(1), hex(2)]
  const Measurements = { HashAlgorithm: 'Sha384 { ... }', PCR0, PCR1, PCR2 }
  playground.write('measurements.json', JSON.stringify({ Measurements }))
  if (real !== undefined) playground.copy(real, 'document.bin')
  playground.write(
    'app.js',
    `import { openNsm } from '@enclavejs/nsm'
    await using nsm = openNsm()
    if ((await nsm.describeNsm()).maxPcrs !== 32) process.exitCode = 1`,
  )
}
furnish()

describe('README.md', () => {
  it.each(['.', ...PUBLISHED.map((name) => `packages/${name}`)])('of %s exists', (folder) => {
    expect(readmeFiles()).toContain(join(folder, 'README.md'))
  })

  it.each(readmeFiles())('%s links to what exists', (file) => {
    const links = [...readText(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
    for (const [link, path = '', anchor] of links) {
      const target = path === '' ? join(root, file) : join(root, dirname(file), path)
      expect(existsSync(target), link).toBe(true)
      if (anchor === undefined) continue
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)]
      const anchors = headings.map(([, text = '']) =>
        text
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      )
      expect(anchors, link).toContain(anchor)
    }
  })

  it.each(
    readmeBlocks.filter(({ language }) => language === 'json').map((one) => [nameOf(one), one]),
  )('%s is JSON', (_name, { code }: Block) => {
    expect(() => JSON.parse(code) as unknown).not.toThrow()
  })

  it('names the language of every block, and only those that are checked here', () => {
    for (const block of readmeBlocks) {
      expect(['ts', 'ts no-run', 'sh', 'console', 'json', 'text'], nameOf(block)).toContain(
        block.info,
      )
    }
    for (const block of docBlocks) expect(['ts', 'text'], nameOf(block)).toContain(block.info)
  })

  it('shows code that runs, for every package that one imports', () => {
    for (const name of [
      'acm-enclave',
      'attestation',
      'attested-tls',
      'kms-enclave',
      'nsm',
      'simulator',
      'vsock',
    ]) {
      const runs = readmeBlocks.filter(
        ({ file, info }) => file === `packages/${name}/README.md` && info === 'ts',
      )
      expect(runs.length, name).toBeGreaterThan(0)
    }
  })
})

describe('an example', () => {
  const examples = [...readmeBlocks, ...docBlocks].filter(({ language }) => language === 'ts')
  const modules = new Map<string, VirtualModule>(
    examples.map((block, index) => [
      nameOf(block),
      { path: join(dirname(block.file), `example-${index}.ts`), code: block.code },
    ]),
  )
  let checked: TypeCheck

  beforeAll(() => {
    checked = typeCheck([...modules.values()], ['packages/attestation/src/index.ts'])
  })

  it('would be refused if it were wrong', () => {
    const code =
      "import { verifyAttestation } from '@enclavejs/attestation'\nverifyAttestation('text', 1)"
    const { errors } = typeCheck([{ path: 'packages/nsm/wrong.ts', code }])
    expect(errors).toEqual([expect.stringMatching(/^packages\/nsm\/wrong\.ts:2: Argument of type/)])
    const missing = "import { verify } from '@enclavejs/attestation'\nverify"
    expect(typeCheck([{ path: 'wrong.ts', code: missing }]).errors).toHaveLength(1)
  })

  it.each([...modules.keys()])('%s type-checks by itself', (name) => {
    const { path } = modules.get(name) as VirtualModule
    expect(checked.errors.filter((error) => error.startsWith(`${path}:`))).toEqual([])
  })

  it('after @example is fenced', () => {
    for (const file of sourceFiles()) {
      for (const { line, text } of docstrings(file)) {
        for (const [, after = ''] of text.matchAll(/@example\b([\s\S]*?)(?=\n@|$(?![\s\S]))/g)) {
          expect(after, `${file}:${line}`).toMatch(/^[^\n]*\n+```ts\n/)
        }
      }
    }
  })

  const runnable = readmeBlocks.filter(({ info }) => info === 'ts')
  it.each(runnable.map((block, index) => [nameOf(block), block, index] as const))(
    '%s runs, on a simulated device',
    async (_name, { code }, index) => {
      const { status, output } = await playground.runModule(`example-${index}.ts`, code)
      expect({ status, output }).toEqual({ status: 0, output: expect.any(String) as string })
    },
  )

  it.each([
    ['VerifyAttestationOptions', 0],
    ['VerifierOptions', 1],
  ])('README table of %s has every option', (name, table) => {
    const text = readText('packages/attestation/README.md')
    const tables = [...text.matchAll(/^\| option .*\n\| -.*\n((?:\|.*\n)+)/gm)].map(
      ([, rows = '']) => [...rows.matchAll(/^\| `(\w+)`/gm)].map(([, option]) => option as string),
    )
    const [shared = [], own = []] = tables
    const listed =
      table === 0
        ? shared
        : [...(/^Its options are ([^]*?) as above/m.exec(text)?.[1] ?? '').matchAll(/`(\w+)`/g)]
            .map(([, option]) => option as string)
            .concat(own)
    const properties = propertiesOf(checked.program, 'packages/attestation/src/index.ts', name)
    expect(listed.toSorted()).toEqual(properties.toSorted())
  })
})

describe('a command', () => {
  const blocks = readmeBlocks.filter(({ language }) => language === 'sh' || language === 'console')
  const isNotRun = (command: string): boolean => NOT_RUN.some(([known]) => known.test(command))

  it('that is not run has a reason, and every reason has a command', () => {
    const commands = blocks.flatMap(({ language, code }) =>
      language === 'sh' ? code.split('\n') : readTranscript(code).map(({ command }) => command),
    )
    for (const [known, reason] of NOT_RUN) {
      expect(
        commands.filter((command) => known.test(command)),
        reason,
      ).not.toEqual([])
    }
  })

  for (const block of blocks) {
    const steps =
      block.language === 'console'
        ? readTranscript(block.code)
        : block.code.split('\n').map((command) => ({ command, expected: undefined }))
    const run = steps.filter(({ command }) => !isNotRun(command))
    if (run.length === 0) continue
    it(`${nameOf(block)} does what it says`, async (context) => {
      if (real === undefined && block.code.includes('document.bin')) {
        context.skip('shows a genuine document, and the vectors are not here')
      }
      const outcomes = await playground.runCommands(run.map(({ command }) => command))
      for (const [index, { command, expected }] of run.entries()) {
        const { status, output } = outcomes[index] as (typeof outcomes)[number]
        if (expected === undefined) expect({ command, output, status }).toMatchObject({ status: 0 })
        else expect(output, command).toMatch(pattern(expected))
      }
    })
  }

  it('would be refused if it printed something else', async () => {
    const [first, second] = await playground.runCommands([
      'printf "a\\nb\\nc\\n"',
      'echo d; exit 3',
    ])
    expect(first).toEqual({ status: 0, output: 'a\nb\nc\n' })
    for (const good of [
      ['a', 'b', 'c'],
      ['…'],
      ['a', '…'],
      ['…', 'c'],
      ['a', '…', 'b', 'c'],
      ['…', '…', 'c'],
    ]) {
      expect(first?.output).toMatch(pattern(good))
    }
    for (const bad of [
      [],
      ['a'],
      ['a', 'b', 'd'],
      ['a', 'b', 'c', 'd'],
      ['b', '…'],
      ['.', 'b', 'c'],
    ]) {
      expect(first?.output).not.toMatch(pattern(bad))
    }
    expect(second?.output).toBe('d\n')
  })
})

describe('the codes', () => {
  const codesOf = (name: string): string[] => {
    const union = readText(`packages/${name}/src/error.ts`)
    return [...union.matchAll(/^ *\| '(ERR_[A-Z0-9_]+)'$/gm)].map(([, code]) => code as string)
  }
  /** The codes in the first cells of tables; `…_CODE` is short for the code with the package's prefix. */
  const listed = (name: string): string[] => {
    const cells = [...readText(`packages/${name}/README.md`).matchAll(/^\|( `ERR_[^|]*)\|/gm)]
    const prefix = `ERR_${name.toUpperCase()}_`
    return cells.flatMap(
      ([, cell = '']) => cell.replaceAll('…_', prefix).match(/ERR_[A-Z0-9_]+/g) ?? [],
    )
  }

  it.each(['attestation', 'attested-tls', 'cli'])(
    'of %s are all in its README, in order',
    (name) => {
      expect(codesOf(name).length).toBeGreaterThan(2)
      expect(listed(name)).toEqual(codesOf(name))
    },
  )

  it.each(['acm-enclave', 'kms-enclave', 'launcher', 'nsm', 'simulator', 'vsock'])(
    'of %s are all in its README',
    (name) => {
      expect(codesOf(name).length).toBeGreaterThan(2)
      expect(listed(name).toSorted()).toEqual(codesOf(name).toSorted())
    },
  )
})

it('the flags of verify are all in the README of the command', () => {
  const [section = ''] =
    readText('packages/cli/README.md').split('\n## verify\n')[1]?.split('\n## ') ?? []
  const rows = section.matchAll(/^\| `--([a-z-]+)/gm)
  const flags = [...rows].map(([, flag]) => flag as string)
  expect(flags.toSorted()).toEqual([...Object.keys(APPRAISAL_FLAGS), 'json'].toSorted())
})
