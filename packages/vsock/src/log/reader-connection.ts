import type { Socket } from 'node:net'
import { formatBeginning } from './entry.ts'
import type { Journal } from './journal.ts'

/** Bytes that wait in a socket before nothing more is written to it. */
const WAITING = 65_536

/**
 * Gives one reader the lines of a journal, from the first that is there. A reader that does not read makes nothing wait and
 * nothing grow: it finds itself behind a gap. What it sends is of no interest, and ends the connection.
 */
export class ReaderConnection {
  readonly #socket: Socket
  readonly #journal: Journal
  #last = 0

  constructor(socket: Socket, journal: Journal, id: string) {
    this.#socket = socket
    this.#journal = journal
    socket.unref()
    socket.on('error', () => undefined)
    socket.on('drain', () => this.advance())
    socket.on('data', () => socket.destroy())
    socket.write(`${formatBeginning(id, journal.next)}\n`)
    this.advance()
  }

  /** Writes what is there. */
  advance(): void {
    while (!this.#socket.destroyed && this.#socket.writableLength < WAITING) {
      const line = this.#journal.after(this.#last)
      if (line === undefined) return
      this.#last = line.sequence
      this.#socket.write(line.bytes)
    }
  }

  end(): void {
    this.#socket.end()
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
