// The packed @enclavejs/nsm on the kernel's own driver in an enclave image: every command, every error, bounds, threads,
// leaks, stuck calls. The machine has measured the image and locked PCR0 to 15, as Nitro does.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import {
  assertPlatform,
  checkPlatform,
  measure,
  measuredPcr,
  openNsm,
  seedEntropy,
} from '@enclavejs/nsm'
import { check, done, note } from './report.ts'

const RAW = '/app/raw'
const hasRaw = existsSync(RAW)
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const includes = (document: Uint8Array, part: Uint8Array): boolean =>
  Buffer.from(document).includes(Buffer.from(part))
const sha384 = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.reduce((hash, part) => hash.update(part), createHash('sha384')).digest())
const descriptors = (): number => readdirSync('/proc/self/fd').length
const threads = (): number => readdirSync('/proc/self/task').length
const zero = new Uint8Array(48)
const platform = Array.from({ length: 16 }, (_, index) => index)

const nsm = openNsm()
const raw = (request: string): Promise<Uint8Array> => nsm.transport(hex(request))

await check('DescribeNSM', async () => {
  assert.equal(nsm.source, 'device')
  assert.deepEqual(await nsm.describeNsm(), {
    versionMajor: 1,
    versionMinor: 0,
    versionPatch: 0,
    moduleId: 'i-0123456789abcdef0-enc0123456789abcdef',
    maxPcrs: 32,
    lockedPcrs: platform,
    digest: 'SHA384',
  })
})

await check('DescribePCR of all 32', async () => {
  for (let index = 0; index < 32; index++) {
    const { locked, data } = await nsm.describePcr(index)
    assert.equal(locked, index < 16)
    assert.equal(data.length, 48)
    // What the machine measures: image, kernel, application, role, instance.
    assert.equal(Buffer.from(data).equals(zero), ![0, 1, 2, 3, 4].includes(index), `PCR${index}`)
  }
})

await check('ExtendPCR is SHA-384 of old value and data', async () => {
  let value: Uint8Array = zero
  for (const length of [0, 1, 48, 1000, 4068]) {
    const data = Uint8Array.from(randomBytes(length))
    value = sha384(value, data)
    assert.deepEqual(await nsm.extendPcr(20, data), value)
  }
  assert.deepEqual(await nsm.describePcr(20), { locked: false, data: value })
  assert.equal((await nsm.extendPcr(23, new Uint8Array(4069))).length, 48)
  assert.equal((await nsm.extendPcr(31, new Uint8Array(4068))).length, 48)
})

await check('what the platform measured cannot be extended or locked again', async () => {
  for (const index of [0, 4, 15]) {
    const before = await nsm.describePcr(index)
    for (const call of [nsm.extendPcr(index, zero), nsm.lockPcr(index)]) {
      await assert.rejects(call, { code: 'ERR_NSM_READ_ONLY_INDEX' })
    }
    assert.deepEqual(await nsm.describePcr(index), before)
  }
})

await check('bounds are refused before the device, and the device agrees with them', async () => {
  for (const index of [-1, 32]) {
    await assert.rejects(nsm.describePcr(index), RangeError)
    await assert.rejects(nsm.extendPcr(index, zero), RangeError)
    await assert.rejects(nsm.lockPcr(index), RangeError)
  }
  await assert.rejects(nsm.lockPcrs(33), RangeError)
  await assert.rejects(nsm.extendPcr(23, new Uint8Array(4070)), RangeError)
  await assert.rejects(nsm.extendPcr(24, new Uint8Array(4069)), RangeError)
  await assert.rejects(nsm.attestation({ publicKey: new Uint8Array(4051) }), RangeError)
  await assert.rejects(nsm.getRandom(0x10_0001), RangeError)
  await assert.rejects(nsm.transport(new Uint8Array(4097)), RangeError)
  await assert.rejects(nsm.transport(new Uint8Array(0)), RangeError)
  // The same beyond our bounds, as bytes.
  for (const request of [
    'a16b4465736372696265504352a165696e6465781820',
    'a1674c6f636b504352a165696e6465781820',
    'a1684c6f636b50435273a16572616e67651821',
  ]) {
    assert.match(text(await raw(request)), /ErrorlInvalidIndex$/)
  }
})

await check('LockPCR', async () => {
  assert.equal(await nsm.lockPcr(18), undefined)
  assert.equal((await nsm.describePcr(18)).locked, true)
  for (const call of [nsm.lockPcr(18), nsm.extendPcr(18, zero)]) {
    await assert.rejects(call, {
      code: 'ERR_NSM_READ_ONLY_INDEX',
      nsmCode: 'ReadOnlyIndex',
      name: 'NsmError',
    })
  }
})

await check('LockPCRs', async () => {
  assert.equal(await nsm.lockPcrs(0), undefined)
  assert.deepEqual((await nsm.describeNsm()).lockedPcrs, [...platform, 18])
  assert.equal(await nsm.lockPcrs(17), undefined)
  assert.equal(await nsm.lockPcrs(17), undefined)
  assert.deepEqual((await nsm.describeNsm()).lockedPcrs, [...platform, 16, 18])
  await assert.rejects(nsm.extendPcr(16, zero), { code: 'ERR_NSM_READ_ONLY_INDEX' })
})

await check('GetRandom of any length', async () => {
  const seen = new Set<string>()
  for (const length of [0, 1, 255, 256, 257, 1000, 4096]) {
    const bytes = await nsm.getRandom(length)
    assert.equal(bytes.length, length)
    if (length >= 255) seen.add(Buffer.from(bytes.subarray(0, 32)).toString('hex'))
  }
  assert.equal(seen.size, 5)
})

await check('Attestation at every limit', async () => {
  const of = (length: number): Uint8Array => Uint8Array.from(randomBytes(length))
  assert.ok((await nsm.attestation()).length > 0)
  const input = { userData: of(1024), nonce: of(1024), publicKey: of(1024) }
  const document = await nsm.attestation(input)
  for (const part of Object.values(input)) assert.ok(includes(document, part))
  const most = of(4050)
  assert.ok(includes(await nsm.attestation({ publicKey: most }), most))
  const empty = await nsm.attestation({ userData: of(0), nonce: of(0), publicKey: of(0) })
  assert.ok(includes(empty, Buffer.from('\x65nonce\x40', 'latin1')))
  const none = await nsm.attestation({})
  assert.ok(includes(none, Buffer.from('\x65nonce\xf6', 'latin1')))
})

await check('what the device refuses has a code', async () => {
  const refused = async (request: string): Promise<string> => text(await raw(request))
  assert.match(await refused('ff'), /InvalidOperation$/)
  assert.match(await refused('a0'), /InvalidOperation$/)
  assert.match(await refused('6a4e6f74436f6d6d616e64'), /InvalidOperation$/)
})

await check('requestSync', () => {
  const answer = nsm.transport.requestSync?.(hex('6947657452616e646f6d'))
  assert.equal(answer?.length, 278)
})

await check('the driver itself', () => {
  if (!hasRaw) return 'no C compiler on the host: not tried'
  const output = execFileSync(RAW, ['errno'], { encoding: 'utf8' }).trim()
  assert.equal(output, '0 90 22 14 0') // 4096 bytes, 4097 (EMSGSIZE), ioctl (EINVAL), pointer (EFAULT), in order again
})

await check('openNsm explains itself', async () => {
  assert.throws(() => openNsm({ path: '/dev/absent' }), { code: 'ERR_NSM_NOT_FOUND', errno: 2 })
  await using other = openNsm({ path: '/dev/null' })
  await assert.rejects(other.describeNsm(), { code: 'ERR_NSM_IOCTL', errno: 25, syscall: 'ioctl' })
  const source = `import { openNsm } from '@enclavejs/nsm'
    try { console.log((await openNsm().getRandom(1)).length) } catch (error) { console.log(error.code, error.errno) }`
  const asNobody = (): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', source], {
      uid: 65534,
      gid: 65534,
      cwd: '/app',
      encoding: 'utf8',
    }).trim()
  assert.equal(asNobody(), '1') // mode 0666: any user may
  chmodSync('/dev/nsm', 0o600)
  assert.equal(asNobody(), 'ERR_NSM_ACCESS 13')
  chmodSync('/dev/nsm', 0o666)
})

await check('a simulator is refused where there is a device', () => {
  const symbol = Symbol.for('enclavejs.simulator')
  const scope = globalThis as Record<symbol, unknown>
  const answer = (): Uint8Array => new Uint8Array()
  scope[symbol] = { version: 1, nsm: { request: async () => answer(), requestSync: answer } }
  try {
    assert.throws(() => openNsm(), { code: 'ERR_NSM_SIMULATOR_CONFLICT' })
    assert.throws(() => openNsm({ path: '/dev/absent' }), { code: 'ERR_NSM_SIMULATOR_CONFLICT' })
  } finally {
    delete scope[symbol]
  }
})

await check('measure', async () => {
  const data = Buffer.from('configuration')
  const { value } = await measure(nsm, data, { pcr: 17 })
  assert.deepEqual(value, measuredPcr(data))
  assert.deepEqual(await nsm.describePcr(17), { locked: true, data: value })
  await assert.rejects(measure(nsm, data, { pcr: 17 }), { code: 'ERR_NSM_READ_ONLY_INDEX' })
  await assert.rejects(measure(nsm, data, { pcr: 23 }), { code: 'ERR_NSM_PCR_NOT_ZERO' })
})

await check('checkPlatform', async () => {
  // QEMU's guest has tsc, until a busy host makes the kernel distrust it.
  const file = '/sys/devices/system/clocksource/clocksource0/current_clocksource'
  const clocksource = readFileSync(file, 'utf8').trim()
  assert.notEqual(clocksource, 'kvm-clock')
  const report = await assertPlatform(nsm, { clocksource })
  assert.equal(report.failures.length, 0)
  assert.equal(report.checks.find(({ name }) => name === 'entropy')?.actual, 'nsm-hwrng')
  const strict = await checkPlatform(nsm)
  assert.deepEqual(
    strict.failures.map(({ name, actual }) => `${name} ${actual}`),
    [`clocksource ${clocksource}`],
  )
  await assert.rejects(assertPlatform(nsm), { code: 'ERR_NSM_PLATFORM' })
  const wrong = { clocksource, now: () => new Date(Date.now() - 60_000) }
  const { clockOffset } = await checkPlatform(nsm, wrong)
  assert.ok(clockOffset < -50_000 && clockOffset > -62_000)
  await assert.rejects(assertPlatform(nsm, wrong), { code: 'ERR_NSM_PLATFORM' })
  return `clock offset ${report.clockOffset} ms`
})

await check('seedEntropy credits the pool', async () => {
  assert.deepEqual(await seedEntropy(nsm), { bytes: 256, credited: true })
  const source = `import { openNsm, seedEntropy } from '@enclavejs/nsm'
    console.log((await seedEntropy(openNsm())).credited)`
  const asNobody = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    uid: 65534,
    gid: 65534,
    cwd: '/app',
    encoding: 'utf8',
  })
  assert.equal(asNobody.trim(), 'false')
})

await check('close during calls, twice, and without any', async () => {
  const before = descriptors()
  for (let round = 0; round < 20; round++) {
    const device = openNsm()
    const calls = Array.from({ length: 8 }, () => device.getRandom(300))
    const closing = device.close()
    await assert.rejects(device.getRandom(1), { code: 'ERR_NSM_CLOSED' })
    const given = await Promise.allSettled(calls)
    // Those under way end; those that had another exchange to make are refused it.
    for (const result of given) {
      if (result.status === 'rejected')
        assert.equal((result.reason as { code: string }).code, 'ERR_NSM_CLOSED')
    }
    await closing
    await device.close()
    await openNsm().close()
  }
  await wait(100)
  assert.equal(descriptors(), before)
})

/** MiB by which the process grew in the calmest of some rounds: memory is taken in steps, and a leak is in every round. */
async function leastGrowth(rounds: number, round: () => Promise<void>): Promise<number> {
  const grown: number[] = []
  for (let count = 0; count < rounds; count++) {
    const before = process.memoryUsage.rss()
    await round()
    await wait(100)
    global.gc?.()
    grown.push((process.memoryUsage.rss() - before) / 1024 / 1024)
  }
  return Math.min(...grown)
}

await check('10,000 mixed calls from four worker threads leak nothing', async () => {
  const before = { descriptors: descriptors(), threads: threads() }
  const workers = [24, 25, 26, 27].map(
    (pcr) => new Worker(new URL('./worker.ts', import.meta.url), { workerData: { pcr } }),
  )
  const exits = workers.map((worker) => once(worker, 'exit'))
  const started = performance.now()
  const grown = await leastGrowth(4, async () => {
    const answers = workers.map((worker) => once(worker, 'message')) // rejects when a worker fails
    for (const worker of workers) worker.postMessage(625)
    await Promise.all(answers)
  })
  const seconds = (performance.now() - started) / 1000
  for (const worker of workers) worker.postMessage(0)
  await Promise.all(exits)
  await wait(200)
  assert.deepEqual({ descriptors: descriptors(), threads: threads() }, before)
  assert.ok(grown < 3, `memory grew by ${grown.toFixed(1)} MiB in every round`)
  return `${seconds.toFixed(1)} s`
})

await check('10,000 calls of one device in one thread leak nothing', async () => {
  const grown = await leastGrowth(5, async () => {
    for (let made = 0; made < 2000; made += 50) {
      await Promise.all(Array.from({ length: 50 }, () => nsm.getRandom(256)))
    }
  })
  assert.ok(grown < 0.4, `memory grew by ${grown.toFixed(1)} MiB in every round`) // their answers have 0.53
})

if (hasRaw) {
  const time = async (run: () => unknown, count: number): Promise<number> => {
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const started = performance.now()
      await run()
      times.push((performance.now() - started) * 1000)
    }
    return times.sort((a, b) => a - b)[count >> 1] ?? 0
  }
  const request = hex('6947657452616e646f6d')
  const rawTimes: number[] = []
  const sync: number[] = []
  const async_: number[] = []
  for (let slice = 0; slice < 5; slice++) {
    rawTimes.push(Number(execFileSync(RAW, ['time', '300'], { encoding: 'utf8' }).split(' ')[0]))
    sync.push(await time(() => nsm.transport.requestSync?.(request), 300))
    async_.push(await time(() => nsm.transport(request), 300))
  }
  const median = (values: number[]): string => (values.sort((a, b) => a - b)[2] ?? 0).toFixed(1)
  note(
    `microseconds a GetRandom, medians of interleaved slices: raw C ${median(rawTimes)}, requestSync ${median(sync)}, request ${median(async_)}`,
  )
}

await nsm.close()

// Last, because the device does not come back.
await check(
  'a call that is stuck in the kernel meets its deadline, and the process ends',
  async () => {
    if (!hasRaw) return 'no C compiler on the host: not tried'
    spawn(RAW, ['break'], { stdio: 'ignore' }) // does not return
    await wait(500)
    const source = `import { openNsm } from '@enclavejs/nsm'
    const nsm = openNsm({ deadline: 300 })
    const started = performance.now()
    await nsm.describeNsm().catch((error) => console.log(error.code, Math.round(performance.now() - started)))
    await nsm.close()
    process.on('exit', () => console.log('exit'))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], { cwd: '/app' })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    for (let waited = 0; waited < 100 && !output.includes('exit'); waited++) await wait(100)
    assert.match(output, /^ERR_NSM_DEADLINE [34]\d\d\nexit\n$/)
    await wait(300)
    // The process is gone but for the thread that waits in the kernel, which no signal reaches.
    const state = /^State:\s+(\S)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]
    const tasks = readdirSync(`/proc/${child.pid}/task`).map((task) =>
      readFileSync(`/proc/${child.pid}/task/${task}/comm`, 'utf8').trim(),
    )
    assert.equal(state, 'Z')
    assert.ok(tasks.includes('nsm'))
    return `the kernel keeps the thread ${tasks.join(', ')} for the 120 s that its driver waits`
  },
)

done()
process.exit(0)
