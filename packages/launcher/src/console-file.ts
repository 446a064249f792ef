import { closeSync, fstatSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const FILE = 'console.log'
/** Bytes of one file; there are two, so that an enclave that prints without end does not fill the parent's disk. */
const LIMIT = 2 ** 20
const INTERVAL = 150

/** Keeps the last one to two MiB of a console in a folder. */
export class ConsoleFile {
  readonly #path: string
  #descriptor: number
  #size = 0

  constructor(folder: string) {
    this.#path = join(folder, FILE)
    this.#descriptor = openSync(this.#path, 'w', 0o600)
  }

  write(bytes: Uint8Array): void {
    if (this.#descriptor < 0) return
    if (this.#size + bytes.length > LIMIT) {
      closeSync(this.#descriptor)
      renameSync(this.#path, `${this.#path}.1`)
      this.#descriptor = openSync(this.#path, 'w', 0o600)
      this.#size = 0
    }
    this.#size += bytes.length
    try {
      writeSync(this.#descriptor, bytes)
    } catch {
      // A full disk costs the console, not the enclave.
    }
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor)
    this.#descriptor = -1
  }
}

/** Reads what is kept of a console; with `follow` until `hasEnded` says that nothing more comes. */
export async function* readConsoleFile(
  folder: string,
  follow: boolean,
  hasEnded: () => boolean,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const path = join(folder, FILE)
  // An open file keeps its number: what is at the path later is another one, or this one.
  let file = Tail.open(path)
  const old = Tail.open(`${path}.1`)
  try {
    if (old !== undefined) yield* old.rest()
    for (;;) {
      const ended = !follow || hasEnded()
      const bytes = file?.rest() ?? []
      yield* bytes
      const isOver = file === undefined || !file.isAt(path)
      if (isOver) {
        // Nothing more is written to it: what was written until it was put aside is read first.
        if (file !== undefined) yield* file.rest()
        file?.close()
        file = Tail.open(path)
      }
      if (bytes.length > 0 || (isOver && file !== undefined)) continue
      if (ended) return
      await wait(INTERVAL, undefined, signal === undefined ? {} : { signal })
    }
  } finally {
    old?.close()
    file?.close()
  }
}

/** A file that grows, read from where it was read before. */
class Tail {
  readonly #descriptor: number
  readonly #inode: number
  #offset = 0

  private constructor(descriptor: number) {
    this.#descriptor = descriptor
    this.#inode = fstatSync(descriptor).ino
  }

  static open(path: string): Tail | undefined {
    try {
      return new Tail(openSync(path, 'r'))
    } catch {
      return undefined
    }
  }

  isAt(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.ino === this.#inode
  }

  /** What there is behind what was read; a list of none or one. */
  rest(): readonly Uint8Array[] {
    const length = fstatSync(this.#descriptor).size - this.#offset
    if (length <= 0) return []
    const bytes = new Uint8Array(length)
    const count = readSync(this.#descriptor, bytes, 0, length, this.#offset)
    this.#offset += count
    return count === 0 ? [] : [bytes.subarray(0, count)]
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
