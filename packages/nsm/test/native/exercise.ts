// Everything that the addon does, in one process: under sanitizers, and as a check for leaks.
//
//   node --conditions=@enclavejs/source test/native/exercise.ts ADDON [ROUNDS]
//
// The last line is `clean` and the exit status 0 when every step went as it should.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { isMainThread, Worker } from 'node:worker_threads'
import { openTransport, type OpenTransport } from '../../src/transport.ts'
import { loadAddon } from './build.ts'

const [, , addon = '', rounds = '3'] = process.argv
const binding = loadAddon(addon)
const random = Uint8Array.from(Buffer.from('6947657452616e646f6d', 'hex'))
const describe = Uint8Array.from(Buffer.from('6b44657363726962654e534d', 'hex'))
const open = (behaviour: string, deadline = 10_000): OpenTransport =>
  openTransport(binding, `fake:${behaviour}`, deadline)

const behaviours = [
  'instant',
  'truncated',
  'oversized',
  'malformed',
  'empty',
  'trailing',
  'wrong-type',
  'errno=5',
  'eintr=3',
  'error=ReadOnlyIndex',
  'random=12000',
  'slow=2',
]

async function round(): Promise<void> {
  for (const behaviour of behaviours) {
    const transport = open(behaviour)
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => transport(index % 2 === 0 ? random : describe)),
    )
    assert.equal(answers.length, 20)
    try {
      transport.requestSync(random)
    } catch {
      assert.match(behaviour, /oversized|errno/)
    }
    transport.close()
    transport.close()
  }
  assert.throws(() => open('unknown'), { code: 'ERR_NSM_OPEN' })
  // Collected without close, idle and with calls under way.
  for (let index = 0; index < 5; index++) {
    open('instant')
    const answer = open('slow=5')(random)
    global.gc?.()
    assert.equal((await answer).length, 278)
  }
  // Dropped because of the deadline, and closed under a call with others waiting.
  const late = open('slow=20', 10)
  const dropped = await Promise.allSettled([late(random), late(random), late(random)])
  assert.deepEqual(
    dropped.slice(1).map(({ status }) => status), // on a busy machine the first is late as well
    ['rejected', 'rejected'],
  )
  const slow = open('slow=5')
  const closed = [slow(random), slow(random)]
  slow.close()
  for (const answer of await Promise.all(closed)) assert.equal(answer.length, 278)
  late.close()
}

/** Worker threads that end in every way: alone, by exit, and by termination in the middle of a call. */
async function workers(): Promise<void> {
  for (const end of ['alone', 'exit', 'terminate', 'terminate']) {
    const worker = new Worker(new URL(import.meta.url), {
      argv: [addon, end],
      execArgv: process.execArgv.filter((flag) => flag.startsWith('--conditions')),
    })
    worker.on('error', (error) => {
      throw error
    })
    const ended = new Promise((resolve) => worker.on('exit', resolve))
    if (end === 'terminate') {
      await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
    }
    await ended
  }
}

async function inWorker(end: string): Promise<void> {
  const { parentPort } = await import('node:worker_threads')
  const quick = open('instant')
  for (let index = 0; index < 50; index++) assert.equal((await quick(random)).length, 278)
  const stuck = open('slow=100')
  const calls = [stuck(random), stuck(random), stuck(random)]
  if (end === 'exit') process.exit(0)
  parentPort?.postMessage('under way')
  await Promise.all(calls)
}

const descriptors = (): number => readdirSync('/proc/self/fd').length
const threads = (): string[] =>
  readdirSync('/proc/self/task').map((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
    } catch {
      return '' // gone meanwhile
    }
  })

/** What is open when every call has ended and every device was collected; waits for that, 20 seconds at most. */
async function settle(): Promise<number> {
  for (let pass = 0; pass < 3; pass++) {
    global.gc?.()
    await wait(50)
  }
  for (let waited = 0; waited < 200 && threads().includes('nsm'); waited++) {
    global.gc?.()
    await wait(100)
  }
  assert.ok(!threads().includes('nsm'), 'a thread is left')
  return descriptors()
}

// Below the deadline of a device nothing keeps the process alive.
const alive = setInterval(() => {}, 1000)
if (isMainThread) {
  await round()
  await workers()
  const before = await settle()
  for (let index = 0; index < Number(rounds); index++) {
    await round()
    await workers()
  }
  assert.equal(await settle(), before)
  console.log('clean')
} else {
  await inWorker(rounds)
}
clearInterval(alive)
