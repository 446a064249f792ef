// Everything that the addon does, in one process: under sanitizers, and as a check for leaks.
//
//   node --expose-gc --conditions=@enclavejs/source test/native/exercise.ts ADDON
//
// The last line is `clean` and the exit status 0 when every step went as it should.
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, verify, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { KeyHandle, TokenBinding } from '../../src/token/binding.ts'
import { loadAddon } from './build.ts'

const [, , addon = ''] = process.argv
const binding: TokenBinding = loadAddon(isMainThread ? addon : (workerData as WorkerInput).addon)
const LENGTHS = { 256: 32, 384: 48, 512: 64 } as const
const message = new TextEncoder().encode('message')
const digestOf = (bits: number): Uint8Array =>
  new Uint8Array(createHash(`sha${bits}`).update(message).digest())

interface WorkerInput {
  readonly addon: string
  readonly end: string
}

const keys = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
}

function derOf(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: 'pkcs8', format: 'der' }))
}

function load(key: KeyObject): KeyHandle {
  const der = derOf(key)
  const handle = binding.load(der)
  assert.ok(handle !== null)
  assert.ok(der.every((byte) => byte === 0))
  return handle
}

function misuse(): void {
  const untyped = binding as unknown as Record<string, (...values: unknown[]) => unknown>
  for (const name of Object.keys(untyped)) {
    assert.throws(() => untyped[name]?.(), /too few arguments/, name)
    for (const value of [undefined, null, {}, 5, 'text', [], new Uint16Array(4), Symbol('s')]) {
      assert.throws(() => untyped[name]?.(value, value, value, value), Error, name)
    }
  }
  const key = load(keys['P-256'].privateKey)
  for (const scheme of [-1, 3, 2 ** 31]) {
    assert.throws(() => binding.sign(key, scheme, 256, new Uint8Array(32)), /no such scheme/)
  }
  for (const length of [0, 65, 4096]) {
    assert.throws(() => binding.sign(key, 2, 256, new Uint8Array(length)), /not a digest/)
  }
}

/** What is no key, cut and changed everywhere. */
function malformed(): void {
  const der = derOf(keys['P-256'].privateKey)
  for (let end = 0; end < der.length; end++) assert.equal(binding.load(der.slice(0, end)), null)
  assert.equal(binding.load(Uint8Array.of(...der, 0)), null)
  for (let index = 0; index < der.length; index++) {
    for (const value of [0, 0x7f, 0x80, 0xff]) {
      const changed = der.slice()
      changed[index] = value
      const key = binding.load(changed)
      if (key !== null) binding.release(key)
    }
  }
}

async function signatures(): Promise<void> {
  for (const [name, { privateKey, publicKey }] of Object.entries(keys)) {
    const key = load(privateKey)
    for (const bits of [256, 384, 512, 0, -1] as const) {
      for (const scheme of [0, 1, 2]) {
        const length = LENGTHS[bits as 256]
        const digest = length === undefined ? new Uint8Array(32) : digestOf(bits)
        const signature = await binding.sign(key, scheme, bits, digest)
        const fits = (name === 'rsa') !== (scheme === 2)
        if (!fits || (length === undefined && scheme !== 2)) {
          if (!fits) assert.equal(signature, null)
          continue
        }
        assert.ok(signature !== null)
        if (length === undefined) continue
        const options = [{}, { padding: 6, saltLength: length }, { dsaEncoding: 'ieee-p1363' }]
        const given = { key: publicKey, ...(options[scheme] as object) }
        assert.ok(verify(`sha${bits}`, message, given, signature))
      }
    }
    // The digest and its hash do not agree, and every length between.
    for (let length = 1; length <= 64; length++) {
      await binding.sign(key, name === 'rsa' ? 0 : 2, 256, new Uint8Array(length))
    }
    binding.release(key)
  }
}

/** Let go in every way while signatures are under way. */
async function lifetimes(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const released = load(keys.rsa.privateKey)
    const some = Array.from({ length: 12 }, () => binding.sign(released, 0, 256, digestOf(256)))
    binding.release(released)
    binding.release(released)
    assert.throws(() => binding.sign(released, 0, 256, digestOf(256)), /was released/)
    let lost: KeyHandle | undefined = load(keys['P-256'].privateKey)
    const others = Array.from({ length: 12 }, () =>
      binding.sign(lost as KeyHandle, 2, 256, digestOf(256)),
    )
    lost = undefined
    global.gc?.()
    for (const signature of await Promise.all(some)) assert.equal(signature?.length, 256)
    for (const signature of await Promise.all(others)) assert.equal(signature?.length, 64)
  }
  // Memory that another thread could change meanwhile.
  const key = load(keys['P-256'].privateKey)
  const shared = new Uint8Array(new SharedArrayBuffer(32))
  assert.equal((await binding.sign(key, 2, 256, shared))?.length, 64)
}

/** Worker threads that end in every way: alone, by exit, and by termination in the middle of signatures. */
async function workers(): Promise<void> {
  for (const end of ['alone', 'exit', 'terminate', 'terminate']) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { addon, end } satisfies WorkerInput,
      execArgv: process.execArgv.filter((flag) => flag.startsWith('--conditions')),
    })
    const ended = once(worker, 'exit')
    if (end === 'terminate') {
      await once(worker, 'message')
      await worker.terminate()
    }
    await ended
  }
}

async function inWorker({ end }: WorkerInput): Promise<void> {
  const kept = load(keys.rsa.privateKey)
  const under = Array.from({ length: 40 }, () => binding.sign(kept, 1, 256, digestOf(256)))
  parentPort?.postMessage('under way')
  if (end === 'exit') process.exit(0)
  for (const signature of await Promise.all(under)) assert.equal(signature?.length, 256)
}

if (isMainThread) {
  misuse()
  malformed()
  await signatures()
  await lifetimes()
  await workers()
  console.log('clean')
} else {
  await inWorker(workerData as WorkerInput)
}
