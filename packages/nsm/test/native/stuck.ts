// A process whose call to the NSM never returns, and which ends all the same.
//
//   node --conditions=@enclavejs/source test/native/stuck.ts ADDON drain|exit|throw|worker
import { Worker, isMainThread } from 'node:worker_threads'
import { NsmDevice } from '../../src/device.ts'
import { openTransport } from '../../src/transport.ts'
import { loadAddon } from './build.ts'

const [, , addon = '', end] = process.argv

if (end === 'worker' && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), {
    argv: [addon, 'wait'],
    execArgv: process.execArgv,
  })
  worker.once('message', () => void worker.terminate().then(() => console.log('terminated')))
} else {
  const transport = openTransport(loadAddon(addon), 'fake:slow=3600000', 100)
  const nsm = new NsmDevice('device', transport, end === 'wait' ? 60_000 : 100, transport.close)
  const call = nsm.getRandom(1).catch((error: unknown) => {
    console.log((error as { code: string }).code)
    if (end === 'exit') process.exit(7)
    if (end === 'throw') throw new Error('uncaught, on purpose')
    return nsm.close()
  })
  if (end === 'wait') {
    const { parentPort } = await import('node:worker_threads')
    parentPort?.postMessage('under way')
  }
  await call
}
