import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { vectors } from '../../../../test/vectors.ts'

/** What one side wrote at once: its version byte, or one frame. */
interface RecordedWrite {
  readonly connection: number
  readonly from: 'client' | 'server'
  readonly bytes: Uint8Array
}

/** A conversation between a stock client and a stock server. */
export interface Recording {
  readonly name: string
  readonly writes: readonly RecordedWrite[]
}

interface JsonFrame {
  readonly conn: number
  readonly dir: '>' | '<'
  readonly versionByte?: number
  readonly hex?: string
}

function write(connection: number, direction: string, hex: string): RecordedWrite {
  const from = direction === '>' ? 'client' : 'server'
  return { connection, from, bytes: new Uint8Array(Buffer.from(hex, 'hex')) }
}

function fromJson(text: string): RecordedWrite[] {
  const { frames } = JSON.parse(text) as { frames: readonly JsonFrame[] }
  return frames.map(({ conn, dir, versionByte, hex }) => {
    return write(conn, dir, hex ?? Buffer.of(versionByte as number).toString('hex'))
  })
}

function fromLines(text: string): RecordedWrite[] {
  return text
    .split('\n')
    .map((line) => /^(\d+) ([<>]) ([0-9a-f]+)$/.exec(line.trim()))
    .filter((match) => match !== null)
    .map(([, connection, direction = '', hex = '']) => write(Number(connection), direction, hex))
}

/** A recorded read may hold half a frame, or two. */
function* cut(writes: readonly RecordedWrite[]): Iterable<RecordedWrite> {
  const left = new Map<string, Buffer>()
  for (const { connection, from, bytes } of writes) {
    const side = `${connection} ${from}`
    const before = left.get(side)
    let rest = Buffer.concat([before ?? Buffer.of(), bytes])
    if (before === undefined) {
      yield { connection, from, bytes: Uint8Array.from(rest.subarray(0, 1)) }
      rest = rest.subarray(1)
    }
    while (rest.length >= 12) {
      const total = 12 + rest.readUInt32BE(4) + rest.readUInt32BE(8)
      if (rest.length < total) break
      yield { connection, from, bytes: Uint8Array.from(rest.subarray(0, total)) }
      rest = rest.subarray(total)
    }
    left.set(side, rest)
  }
}

/** The recordings of `p11/golden` and `p11/transcripts`; none where this machine has no vectors. */
export function recordings(folder: 'golden' | 'transcripts'): readonly Recording[] {
  const path = vectors(`p11/${folder}`)
  if (path === undefined) return []
  return readdirSync(path)
    .filter((file) => /\.(json|hex)$/.test(file))
    .sort()
    .map((file) => {
      const text = readFileSync(join(path, file), 'utf8')
      const writes = file.endsWith('.json') ? fromJson(text) : fromLines(text)
      return { name: basename(file).replace(/\.\w+$/, ''), writes: [...cut(writes)] }
    })
}
