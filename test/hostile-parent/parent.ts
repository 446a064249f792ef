import { Duplex, PassThrough } from 'node:stream'

type Direction = 'toKms' | 'toEnclave'

/** What the parent does with the bytes of one connection. */
export interface Mischief {
  /** A chunk as it goes on; undefined swallows it. `offset` counts the bytes of the direction before it. */
  readonly change?: (chunk: Buffer, offset: number, direction: Direction) => Buffer | undefined
  /** After so many bytes to the enclave the connection is ended, reset, or kept without another byte. */
  readonly after?: { readonly bytes: number; readonly what: 'end' | 'reset' | 'stall' }
}

/** One connection that a parent has carried, with all that went through its hands. */
export interface Carried {
  readonly toKms: Buffer[]
  readonly toEnclave: Buffer[]
}

/**
 * Carries one connection as the parent instance does: it sees every byte, and may do with it what it likes.
 *
 * @returns The enclave's end.
 */
export function carry(kms: Duplex, mischief: Mischief = {}, carried?: Carried): Duplex {
  const down = new PassThrough()
  const counts = { toKms: 0, toEnclave: 0 }
  let done = false
  const enclave = new Duplex({
    write(chunk: Buffer, _encoding, callback) {
      carried?.toKms.push(chunk)
      const changed = mischief.change?.(chunk, counts.toKms, 'toKms') ?? chunk
      counts.toKms += chunk.length
      if (kms.destroyed) callback()
      else kms.write(changed, () => callback())
    },
    final(callback) {
      kms.end()
      callback()
    },
    read() {
      down.resume()
    },
    destroy(error, callback) {
      kms.destroy()
      callback(error)
    },
  })
  down.on('data', (chunk: Buffer) => {
    if (!enclave.push(chunk)) down.pause()
  })
  down.once('end', () => enclave.push(null))
  kms.on('error', () => undefined)
  kms.once('end', () => {
    if (!done) down.end()
  })
  kms.on('data', (chunk: Buffer) => {
    if (done) return
    carried?.toEnclave.push(chunk)
    const { after } = mischief
    const left = after === undefined ? Infinity : after.bytes - counts.toEnclave
    const changed = mischief.change?.(chunk, counts.toEnclave, 'toEnclave') ?? chunk
    counts.toEnclave += chunk.length
    if (chunk.length < left) {
      down.write(changed)
      return
    }
    done = true
    down.write(changed.subarray(0, left))
    if (after?.what === 'end') down.end()
    if (after?.what === 'reset') {
      const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
      setImmediate(() => enclave.destroy(error))
    }
  })
  return enclave
}
