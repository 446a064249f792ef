// One of the threads that call the device at the same time, each with a device of its own: makes as many calls as it is told
// to, says so, and waits for the next number. 0 ends it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { openNsm } from '@enclavejs/nsm'

const { pcr } = workerData as { pcr: number }
const port = parentPort
assert.ok(port)
await using nsm = openNsm({ deadline: 120_000 })

const commands = [
  async () => assert.equal((await nsm.describeNsm()).maxPcrs, 32),
  async () => assert.equal((await nsm.describePcr(pcr)).data.length, 48),
  async () => assert.equal((await nsm.getRandom(256)).length, 256),
  async () => assert.equal((await nsm.extendPcr(pcr, new Uint8Array(64))).length, 48),
  async () => assert.equal(await nsm.lockPcrs(0), undefined),
  async () => await assert.rejects(nsm.lockPcr(16), { code: 'ERR_NSM_READ_ONLY_INDEX' }),
  async () => assert.ok((await nsm.attestation({ nonce: new Uint8Array(32) })).length > 600),
  async () => assert.equal(nsm.transport.requestSync?.(new Uint8Array([0x60]))[0], 0xa1),
]

for (;;) {
  const [calls] = (await once(port, 'message')) as [number]
  if (calls === 0) break
  for (let made = 0; made < calls; made += commands.length) {
    await Promise.all(commands.slice(0, calls - made).map((command) => command()))
  }
  global.gc?.()
  port.postMessage(calls)
}
