import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { bytesSource, encodeMetadata, memorySink, writeImage } from '@enclavejs/eif'
import type { RunEvent, RunOptions, Surroundings } from '../src/index.ts'

const here = dirname(fileURLToPath(import.meta.url))

/** A machine in a folder: devices, allocator, programs on its PATH, and a run directory. */
export class Stand {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'launcher-'))
  readonly root: string = join(this.folder, 'root')
  readonly state: string = join(this.folder, 'nitro.json')
  env: Record<string, string> = {
    PATH: join(this.folder, 'bin'),
    ENCLAVEJS_RUN_DIR: join(this.folder, 'run'),
    NITRO_STATE: this.state,
  }

  constructor() {
    for (const name of ['root', 'bin']) mkdirSync(join(this.folder, name))
  }

  get surroundings(): Surroundings {
    return { env: this.env, root: this.root }
  }

  /** A file of the machine. */
  put(path: string, text: string): void {
    mkdirSync(dirname(this.root + path), { recursive: true })
    writeFileSync(this.root + path, text)
  }

  /** A program on the PATH. */
  program(name: string, script: string): string {
    const path = join(this.folder, 'bin', name)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
    return path
  }

  /** An enclave-enabled instance with the stand-in for nitro-cli, as AWS ships it: 512 MiB and two CPUs. */
  nitro(freeMib = 512, configured = 'memory_mib: 512\ncpu_count: 2\n'): this {
    this.put('/dev/nitro_enclaves', '')
    this.put('/etc/nitro_enclaves/allocator.yaml', `---\n${configured}`)
    const pages = '/sys/devices/system/node/node0/hugepages'
    this.put(`${pages}/hugepages-2048kB/free_hugepages`, `${freeMib / 2}\n`)
    this.put(`${pages}/hugepages-1048576kB/free_hugepages`, '0\n')
    this.put('/sys/module/nitro_enclaves/parameters/ne_cpus', '1,3\n')
    this.program('nitro-cli', `exec '${process.execPath}' '${join(here, 'nitro-cli.mjs')}' "$@"`)
    return this
  }

  /** What nitro-cli was called with. */
  get calls(): readonly string[] {
    const path = `${this.state}.calls`
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  }

  /** A small image. No kernel boots it. */
  async image(name = 'app.eif', size = 4096): Promise<string> {
    const sink = memorySink()
    await writeImage(sink, {
      ...{ architecture: 'x86_64', kernel: bytesSource(new Uint8Array(size).fill(1)) },
      ...{ cmdline: 'console=ttyS0', ramdisks: [bytesSource(new Uint8Array(512))] },
      metadata: encodeMetadata({
        ...{ imageName: 'app', imageVersion: '0', buildTool: 'test' },
        ...{ buildToolVersion: '0', kernelVersion: '6.12' },
      }),
      ...{ createHash: () => createHash('sha384'), crc32 },
    })
    const path = join(this.folder, name)
    writeFileSync(path, sink.bytes())
    return path
  }

  /** A program of Node that finds our packages. */
  node(name: string, source: string): string {
    const path = join(this.folder, name, 'main.mjs')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, source)
    writeFileSync(join(dirname(path), 'package.json'), '{"name":"app","main":"main.mjs"}')
    // Packages are found beside the repository's own.
    const modules = join(this.folder, 'node_modules')
    if (!existsSync(modules)) symlinkSync(join(here, '../../../node_modules'), modules)
    return dirname(path)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Options that tell what happens into a list. */
export function listening(
  stand: Stand,
  options: RunOptions = {},
): { options: RunOptions; events: RunEvent[] } {
  const events: RunEvent[] = []
  const { surroundings } = stand
  return { events, options: { surroundings, onEvent: (event) => events.push(event), ...options } }
}

export function typesOf(events: readonly RunEvent[]): string[] {
  return events.map(({ type }) => type).filter((type) => type !== 'measuring' && type !== 'console')
}

/** Everything that comes. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}
