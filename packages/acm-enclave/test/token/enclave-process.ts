// A token in a process of its own, which a test can kill: `enclave-process.ts SOCKET FILE`, FILE the key as JSON.
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { createToken } from '../../src/token.ts'

const [, , socket = '', file = ''] = process.argv
const { pin, id, ...key } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly pin: string
  readonly id: readonly number[]
  readonly label: string
  readonly privateKey: string
  readonly certificate: string
  readonly path: readonly string[]
}
const token = createToken({ label: 'inner', pin, keys: [{ ...key, id: Uint8Array.from(id) }] })
// One that was killed leaves it.
rmSync(socket, { force: true })
const server = createServer()
token.listen(server)
server.listen(socket, () => console.log('ready'))
