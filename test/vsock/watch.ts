import type { Readable } from 'node:stream'
import type { Socket } from 'node:net'
import type { Log } from './case.ts'

/** Logs events of a socket as they come, each with what it says. */
export function watch(socket: Socket, log: Log, events: readonly string[], who = ''): void {
  for (const event of events) {
    socket.on(event, (value: unknown) => log(`${who}${event}${said(value)}`))
  }
}

function said(value: unknown): string {
  if (value instanceof Error) return ` ${failure(value)}`
  if (typeof value === 'boolean') return ` ${value}`
  return value instanceof Uint8Array || typeof value === 'string' ? ` ${value.length}` : ''
}

/** The code of an error, or its name, and the system call. */
export function failure(error: unknown): string {
  const { code, name, syscall } = error as NodeJS.ErrnoException
  return `${code ?? name}${syscall === undefined ? '' : ` ${syscall}`}`
}

/** When the socket is closed, with or without an error. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    // It may be closed already, and its events still to come, or behind us.
    if (socket.closed) setTimeout(resolve, 30)
  })
}

/**
 * Everything that is read until the end, and what came in its place. Not by async iteration, which closes sockets that are
 * half open (Node 26).
 */
export function text(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    const parts: Uint8Array[] = []
    const told = (how: string): void => resolve(`${Buffer.concat(parts).toString()}${how}`)
    stream.on('data', (part: Uint8Array) => parts.push(part))
    stream.once('end', () => told(''))
    stream.once('error', (error) => told(`, ${failure(error)}`))
    stream.once('close', () => told(', without an end'))
  })
}

/** What a socket says of itself. */
export function state(socket: Socket): string {
  const flags = {
    connecting: socket.connecting,
    pending: socket.pending,
    destroyed: socket.destroyed,
    readable: socket.readable,
    writable: socket.writable,
    ended: socket.readableEnded,
    finished: socket.writableFinished,
  }
  const set = Object.entries(flags).flatMap(([name, value]) => (value ? [name] : []))
  return `${socket.readyState}: ${set.join(' ')}`
}
