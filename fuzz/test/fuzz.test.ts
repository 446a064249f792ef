import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { Coverage } from '../coverage.ts'
import { Random } from '../random.ts'
import { piecesOf, replacePiece } from '../structure.ts'
import { target as hanging } from './planted-hang.ts'
import { target as slow } from './planted-slow.ts'
import { target as planted } from './planted.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const findings = mkdtempSync(join(tmpdir(), 'enclavejs-fuzz-'))
afterAll(() => rmSync(findings, { recursive: true }))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function fuzz(...args: string[]): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', 'fuzz/run.ts', ...args, '--findings', findings],
    { cwd: root },
  )
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

function numbers(pattern: RegExp, text: string): number[] {
  return [...(pattern.exec(text) ?? [])].slice(1).map(Number)
}

describe('npm run fuzz', () => {
  // With the least number of branches that its seeds take.
  test.each([
    ...[['cbor', 100] as const, ['der', 100] as const, ['attestation', 100] as const],
    ...[['p11-rpc', 200] as const, ['kms-cms', 50] as const, ['envelope', 100] as const],
  ])('%s: two seconds, more branches than the seeds take, no finding', async (target, least) => {
    const { status, stdout, stderr } = await fuzz(target, '2')
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const figures = stdout.trim().split('\n').slice(-3)
    const [runs = 0, hit = 0, all = 0] = numbers(
      /(\d+) executions, \d+\/s \(\d+\/s of CPU\), (\d+) of (\d+) branches/,
      figures[0] ?? '',
    )
    const [seeds = 0] = numbers(/^the seeds alone: (\d+) branches; seed \d+$/, figures[1] ?? '')
    expect(figures[2]).toBe('no finding')
    expect(runs).toBeGreaterThan(100)
    expect(seeds).toBeGreaterThan(least)
    expect(hit).toBeGreaterThan(seeds)
    expect(hit).toBeLessThan(all)
  })

  test('finds the bug that was planted, saves the input, ends with 1, and again by its seed', async () => {
    const args = ['fuzz/test/planted.ts', '30', '--sources', 'fuzz/test/planted']
    const first = await fuzz(...args, '--seed', '7')
    expect(first.stderr).toContain('FINDING')
    expect(first.stderr).toContain('TypeError')
    expect(first.stderr).toContain('decodePlanted')
    expect(first.status).toBe(1)
    const [name = ''] = readdirSync(findings).filter((file) =>
      /^planted-[0-9a-f]+\.bin$/.test(file),
    )
    const input = readFileSync(join(findings, name))
    expect([input[0], input[1], input[3]]).toEqual([0xd2, 0x84, 0x44])
    expect(() => planted.run(new Uint8Array(input))).toThrow(TypeError)
    expect(() => planted.run(new Uint8Array(input).with(3, 0x45))).not.toThrow()
    expect(existsSync(join(findings, `${name}.txt`))).toBe(true)
    rmSync(join(findings, name))
    const second = await fuzz(...args, '--seed', '7')
    expect(second.status).toBe(1)
    expect(readFileSync(join(findings, name))).toEqual(input)
  })

  test('ends an input that hangs', async () => {
    const { status, stderr } = await fuzz(
      ...[
        'fuzz/test/planted-hang.ts',
        '60',
        '--sources',
        'fuzz/test/planted',
        '--patience',
        '1500',
      ],
    )
    expect(stderr).toContain('runs for more than')
    expect(status).toBe(1)
    const [name = ''] = readdirSync(findings).filter((file) => /^planted-hang-.*\.bin$/.test(file))
    expect(readFileSync(join(findings, name))[0]).toBe(0xaa)
    expect(hanging.run(Uint8Array.of(0xab))).toBe(undefined)
  })

  test('reports an input that takes more than a second, each time', async () => {
    const { status, stderr } = await fuzz(
      ...['fuzz/test/planted-slow.ts', '60', '--sources', 'fuzz/test/planted'],
    )
    expect(stderr).toMatch(/took \d+ ms, and again/)
    expect(status).toBe(1)
    expect(slow.run(Uint8Array.of(0xab))).toBe(undefined)
  })

  test('stops after --runs, and the same seed gives the same run', async () => {
    const figures: (string | undefined)[] = []
    for (const seed of ['3', '3']) {
      const { status, stdout } = await fuzz('cbor', '60', '--runs', '1500', '--seed', seed)
      expect(status).toBe(0)
      expect(stdout).toMatch(/ 1500 executions/)
      figures.push(/\d+ of \d+ branches.*corpus \d+/.exec(stdout)?.[0])
    }
    expect(figures[0]).toMatch(/branches/)
    expect(figures[1]).toBe(figures[0])
  })

  test.each([
    ['no target'],
    ['a target that does not exist', 'nothing'],
    ['seconds that are no number', 'cbor', 'long'],
    ['an unknown option', 'cbor', '--fast'],
    ['too many arguments', 'cbor', '1', '2'],
  ])('exit status 2: %s', async (_, ...args) => {
    const { status, stderr } = await fuzz(...args)
    expect(status).toBe(2)
    expect(stderr).toContain('npm run fuzz -- TARGET [SECONDS]')
  })
})

describe('coverage', () => {
  test('learns a branch, and how often it is taken in classes', () => {
    const counters = new Uint8Array(4)
    const coverage = new Coverage(counters, () => 4)
    const learn = (count: number): boolean => {
      coverage.reset()
      counters[1] = count
      return coverage.learn()
    }
    expect([learn(1), learn(1), learn(2), learn(4), learn(7), learn(8)]).toEqual([
      ...[true, false, true, true, false, true],
    ])
    expect(coverage.hit).toBe(1)
    expect(coverage.missed).toEqual([0, 2, 3])
  })
})

describe('structure', () => {
  const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

  test('DER: lengths around a piece follow it, through an OCTET STRING too', () => {
    const pieces = piecesOf(hex('300b' + '0403020105' + '3004' + '02020102'), 'der')
    expect(pieces.map(({ raw }) => raw.length)).toEqual([13, 5, 3, 6, 4])
    const longer = replacePiece(pieces[2]!, hex('0204') as Uint8Array)
    expect(Buffer.from(longer).toString('hex')).toBe('300a' + '04020204' + '3004' + '02020102')
    const long = replacePiece(pieces[4]!, new Uint8Array(200))
    expect(Buffer.from(long.subarray(0, 3)).toString('hex')).toBe('3081d0')
    expect(long.length).toBe(211)
  })

  test('CBOR: lengths and counts around a piece follow it, through a byte string too', () => {
    // [h'83 01 02 47…', {1: 2}]: the byte string holds an array.
    const inner = '8301024700000000000000'
    const pieces = piecesOf(hex(`824b${inner}a10102`), 'cbor')
    expect(pieces[2]?.raw).toEqual(hex(inner))
    const first = pieces.find(({ parent, raw }) => parent === pieces[2] && raw[0] === 1)
    const without = replacePiece(first!, new Uint8Array(0), -1)
    expect(Buffer.from(without).toString('hex')).toBe('824a82024700000000000000a10102')
    const map = pieces.find(({ raw }) => raw[0] === 0xa1)
    const twice = replacePiece(map!.children[1]!, hex('020304'), 2)
    expect(Buffer.from(twice).toString('hex')).toBe(`824b${inner}a201020304`)
  })

  test('CBOR: an indefinite map keeps its break', () => {
    const map = piecesOf(hex('bf0102ff'), 'cbor')
    expect(Buffer.from(replacePiece(map[1]!, hex('1818'))).toString('hex')).toBe('bf181802ff')
  })

  test('bytes of another format have no pieces', () => {
    expect(piecesOf(hex('ff'), 'cbor')).toEqual([])
    expect(piecesOf(hex('3005'), 'der')).toEqual([])
    expect(piecesOf(hex('050000'), 'der')).toEqual([])
    expect(piecesOf(new Uint8Array(0), 'der')).toEqual([])
  })
})

test('random: the same seed gives the same numbers, another others, all within the limit', () => {
  const draw = (seed: number): number[] => {
    const random = new Random(seed)
    return Array.from({ length: 1000 }, () => random.below(10))
  }
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
  expect(new Set(draw(3))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
})
