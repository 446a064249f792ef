import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { enclavejs, enclavejsHere } from './process.ts'

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-cli-eif-'))
afterAll(() => rm(folder, { recursive: true }))
await mkdir(join(folder, 'root'))
await writeFile(join(folder, 'root', 'run'), 'run', { mode: 0o755 })
await writeFile(join(folder, 'kernel'), 'a kernel')
await writeFile(join(folder, 'init'), 'an init')

const build = (output: string, ...flags: string[]) =>
  enclavejs(
    [
      ...['eif', 'build', output, '--kernel', 'kernel', '--init', 'init', '--directory', 'root'],
      ...['--cmd', '/run', '--cmdline', 'console=ttyS0', ...flags],
    ],
    { cwd: folder },
  )

interface Output {
  readonly Measurements: Record<string, string>
  readonly warnings: { code: string }[]
  readonly error: { code: string }
}

test('build, describe and measure agree, and say what nitro-cli says', async () => {
  const built = await build('one.eif')
  expect(built).toMatchObject({ status: 0 })
  for (const command of ['describe', 'measure']) {
    const { status, stdout, stderr } = await enclavejs(['eif', command, join(folder, 'one.eif')])
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: built.stdout, stderr: '' })
  }
  const output = JSON.parse(built.stdout) as object
  expect(Object.keys(output)).toEqual([
    ...['EifVersion', 'Measurements', 'IsSigned', 'CheckCRC'],
    ...['ImageName', 'ImageVersion', 'Metadata'],
  ])
  const json = await enclavejs(['eif', 'describe', '--json', join(folder, 'one.eif')])
  expect(JSON.parse(json.stdout)).toMatchObject({ ...output, warnings: [], kernel: { size: 8 } })
})

test('an image from stdin', async () => {
  await build('piped.eif')
  const input = readFileSync(join(folder, 'piped.eif'))
  const args = ['eif', 'measure', '-']
  const env = { TMPDIR: join(folder, 'tmp') }
  await mkdir(env.TMPDIR)
  expect(await enclavejs(args, { input, env })).toEqual(
    await enclavejs(['eif', 'measure', join(folder, 'piped.eif')]),
  )
  expect(await enclavejs(args, { input: input.subarray(0, -1), env })).toMatchObject({
    ...{ status: 1, stderr: expect.stringContaining('ERR_EIF_') as string },
  })
  expect(readdirSync(env.TMPDIR)).toEqual([])
  const gone = { TMPDIR: join(folder, 'gone') }
  expect(await enclavejs(args, { input, env: gone })).toMatchObject({ status: 2 })
})

test('a doubtful image is described, and gives no reference values unless it is taken', async () => {
  const twice = await build('odd.eif', '--cmdline', 'rdinit=/x')
  expect(twice).toMatchObject({ status: 2 })
  const image = join(folder, 'odd.eif')
  const flags = ['--kernel', 'kernel', '--init', 'init', '--directory', 'root', '--cmd', '/run']
  const args = ['eif', 'build', 'odd.eif', ...flags, '--cmdline', 'rdinit=/x']
  expect((await enclavejs(args, { cwd: folder })).stderr).toContain('warning: cmdline-review')
  expect(await enclavejs(['eif', 'describe', image])).toMatchObject({ status: 0 })
  const refused = await enclavejs(['eif', 'reference-values', image])
  expect(refused.status).toBe(1)
  expect(refused.stderr).toContain('refused: ERR_EIF_DOUBTFUL')
  const taken = await enclavejs(['eif', 'reference-values', image, '--allow-doubtful'])
  expect(taken.status).toBe(0)
  expect(JSON.parse(taken.stdout)).toMatchObject({ label: image })
})

test('a difference between two images', async () => {
  await build('one.eif')
  await build('two.eif', '--env', 'A=1')
  const paths = ['one.eif', 'two.eif'].map((name) => join(folder, name))
  const flags = ['--label', '1.0', '--label', '1.1']
  const { status, stdout } = await enclavejs(['eif', 'diff', ...paths, ...flags])
  expect(status).toBe(0)
  expect(stdout).toMatch(/^ {2}PCR1 /m)
  expect(stdout).toMatch(/^- PCR2 .*\n\+ PCR2 /m)
  expect(stdout).toContain('during the rollout admit: 1.0, 1.1\nafter it admit: 1.1')
})

test.each([
  [['eif'], 'is none of'],
  [['eif', 'toString'], 'is none of'],
  [['eif', 'describe'], 'one FILE'],
  [['eif', 'describe', 'a', 'b'], 'one FILE'],
  [['eif', 'diff', 'a'], 'OLD and NEW'],
  [['eif', 'reference-values'], 'FILE is missing'],
  [['eif', 'build', 'x', '--kernel', 'k', '--cmdline', 'c'], '--image, --directory and --tar'],
  [['eif', 'build', 'x', '--cmdline', 'c', '--tar', 't'], '--kernel'],
  [['eif', 'build', 'x', '--mode', 'docker'], '--mode'],
  [['eif', 'build', 'x', '--architecture', 'mips'], '--architecture'],
  [['eif', 'build', 'x', '--mode', 'nitro-cli'], '--init'],
])('wrong use: %j', async (args, text) => {
  const { status, stderr } = await enclavejsHere(args)
  expect(status).toBe(2)
  expect(stderr).toContain(text)
})

test('a file that is no image, and none at all', async () => {
  const { status, stdout, stderr } = await enclavejs([
    'eif',
    'describe',
    '--json',
    join(folder, 'init'),
  ])
  expect(status).toBe(1)
  expect(stderr).toContain('refused: ERR_EIF_TRUNCATED')
  expect((JSON.parse(stdout) as Output).error.code).toBe('ERR_EIF_TRUNCATED')
  expect((await enclavejs(['eif', 'measure', join(folder, 'nowhere')])).status).toBe(1)
})

const index = vectors('eif/index.json')

test.skipIf(index === undefined)(
  'exit status and PCRs of every vector',
  { timeout: 120_000 },
  async () => {
    const list = JSON.parse(readFileSync(index as string, 'utf8')) as {
      vectors: { file: string; expect: string; pcrs?: Record<string, string> }[]
    }
    for (const vector of list.vectors) {
      const path = vectors(`eif/${vector.file}`) as string
      const { status, stdout } = await enclavejsHere(['eif', 'describe', '--json', path])
      expect([vector.file, status]).toEqual([vector.file, vector.expect === 'reject' ? 1 : 0])
      if (vector.pcrs === undefined) continue
      const { Measurements, warnings } = JSON.parse(stdout) as Output
      expect(Measurements).toEqual({ HashAlgorithm: 'Sha384 { ... }', ...vector.pcrs })
      expect([vector.file, warnings.length > 0]).toEqual([vector.file, vector.expect === 'warn'])
    }
  },
)
