import { Duplex, PassThrough } from 'node:stream'

type Direction = 'toKms' | 'toEnclave'

/** What the parent does with the bytes of one connection. */
export interface Mischief {
  /** A chunk as it goes on; undefined swallows it. `offset` counts the bytes of the direction before it. */
  readonly change?: (chunk: Buffer, offset: number, direction: Direction) => Buffer | undefined
  /** After so many bytes of one direction, to the enclave unless told, it is ended, reset, or kept without another byte. */
  readonly after?: {
    readonly bytes: number
    readonly what: 'end' | 'reset' | 'stall'
    readonly direction?: Direction
  }
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
  const { after } = mischief
  const cut = (direction: Direction): number =>
    after !== undefined && (after.direction ?? 'toEnclave') === direction
      ? after.bytes - counts[direction]
      : Infinity
  const reset = (): void => {
    const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    setImmediate(() => enclave.destroy(error))
  }
  const enclave = new Duplex({
    write(chunk: Buffer, _encoding, callback) {
      carried?.toKms.push(chunk)
      const changed = mischief.change?.(chunk, counts.toKms, 'toKms') ?? chunk
      const left = cut('toKms')
      counts.toKms += chunk.length
      if (kms.destroyed || left < 0) callback()
      else if (chunk.length <= left) kms.write(changed, () => callback())
      else {
        kms.write(changed.subarray(0, left), () => callback())
        counts.toKms = Infinity
        if (after?.what === 'end') kms.end()
        if (after?.what === 'reset') reset()
      }
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
    const left = cut('toEnclave')
    const changed = mischief.change?.(chunk, counts.toEnclave, 'toEnclave') ?? chunk
    counts.toEnclave += chunk.length
    if (chunk.length < left) {
      down.write(changed)
      return
    }
    done = true
    down.write(changed.subarray(0, left))
    if (after?.what === 'end') down.end()
    if (after?.what === 'reset') reset()
  })
  return enclave
}
