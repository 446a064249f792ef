import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import {
  createCertificateAuthority,
  issueAttestationDocument,
  type AttestationFields,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import { main } from '../src/main.ts'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))

/** What a run of the command left behind. */
export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Settings of {@link enclavejs}. */
export interface RunOptions {
  readonly input?: Uint8Array | string
  /** Arguments of node, before the program. */
  readonly node?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs `enclavejs` from its source in a process of its own. */
export async function enclavejs(
  args: readonly string[],
  { input = '', node = [], env = {}, cwd = process.cwd() }: RunOptions = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, ['--conditions=@enclavejs/source', ...node, bin, ...args], {
    cwd,
    env: { ...plainEnvironment(), NO_COLOR: '1', ...env },
    timeout: 50_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  // The command may end before it has read everything.
  child.stdin.on('error', () => undefined).end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

/** Runs the command in this process: for what is decided before anything is read from stdin. */
export async function enclavejsHere(args: readonly string[]): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const status = await main(args, {
    print: (line = '') => void (stdout += `${line}\n`),
    write: (bytes) => void (stdout += Buffer.from(bytes).toString('latin1')),
    warn: (line) => void (stderr += `${line}\n`),
    paint: (_style, text) => text,
    interactive: false,
  })
  return { status, stdout, stderr }
}

/** The environment of the tests, less what would change the command's behaviour. */
function plainEnvironment(): Record<string, string | undefined> {
  const changes = /^(?:ENCLAVEJS_SIMULATOR_.*|NODE_OPTIONS|FORCE_COLOR)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !changes.test(name)))
}

/** A folder that is gone when the tests are done. */
export class Workspace {
  readonly path: string = mkdtempSync(join(tmpdir(), 'enclavejs-cli-'))

  /** Writes a file and returns its path. */
  file(name: string, contents: Uint8Array | string): string {
    const path = join(this.path, name)
    writeFileSync(path, contents)
    return path
  }

  json(name: string, value: unknown): string {
    return this.file(name, JSON.stringify(value))
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export function pcr(byte: number): Uint8Array {
  return new Uint8Array(48).fill(byte)
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** 96 hex digits of one byte. */
export function pcrHex(byte: number): string {
  return hexOf(pcr(byte))
}

/** PCR0 to 15: each one its index plus one. */
export function somePcrs(): Map<number, Uint8Array> {
  return new Map(Array.from({ length: 16 }, (_, index) => [index, pcr(index + 1)]))
}

/** The flags that pin PCR0, 1 and 2 of {@link somePcrs}. */
export const IMAGE: readonly string[] = [0, 1, 2].flatMap((index) => [
  '--pcr',
  `${index}=${pcrHex(index + 1)}`,
])

export const NONCE: Uint8Array = new Uint8Array(32).fill(7)

/** A simulated CA at this moment, and documents of its enclave. */
export class Issuer {
  readonly authority: CertificateAuthority
  readonly now: Date

  private constructor(authority: CertificateAuthority, now: Date) {
    this.authority = authority
    this.now = now
  }

  static async create(now: Date = new Date()): Promise<Issuer> {
    return new Issuer(await createCertificateAuthority({ now: () => now }), now)
  }

  issue(fields: Partial<AttestationFields> = {}): Uint8Array {
    return issueAttestationDocument(
      {
        moduleId: this.authority.moduleId,
        timestamp: this.now.getTime(),
        pcrs: somePcrs(),
        nonce: NONCE,
        ...fields,
      },
      this.authority.issueLeaf(),
    )
  }
}

/** What a refusal looks like: status 1, the code on stderr, nothing on stdout. */
export function refusal(code: string): object {
  return { status: 1, stdout: '', stderr: expect.stringContaining(`refused: ${code}\n`) as string }
}

/** What wrong use looks like: status 2, a message on stderr, nothing on stdout. */
export function wrongUse(message: RegExp): object {
  return { status: 2, stdout: '', stderr: expect.stringMatching(message) as string }
}
