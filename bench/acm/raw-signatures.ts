// For each line, a number of milliseconds: how many signatures a second node:crypto makes on its threads, two at a time.
//
//   raw-signatures.ts KEY
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const key = createPrivateKey(readFileSync(process.argv[2] ?? ''))
const message = new TextEncoder().encode('the transcript of a handshake')
const signature = (): Promise<void> =>
  new Promise((resolve, reject) => {
    sign('sha256', message, key, (error) => (error === null ? resolve() : reject(error)))
  })

for await (const line of createInterface(process.stdin)) {
  const begin = performance.now()
  let count = 0
  const one = async (): Promise<void> => {
    while (performance.now() - begin < Number(line)) {
      await signature()
      count++
    }
  }
  await Promise.all([one(), one()])
  console.log((count / (performance.now() - begin)) * 1000)
}
