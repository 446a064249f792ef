// The packed @enclavejs/vsock on a kernel that has no parent, only itself by loopback. In an enclave there is one, and what a
// machine's own CID is and what cannot be reached differs.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  connect,
  createServer,
  getLocalCid,
  VMADDR_PORT_ANY,
  type VsockServer,
  type VsockSocket,
} from '@enclavejs/vsock'
import { check, done } from './report.ts'

const HERE = 1
const NOBODY = 4_294_900_000

async function serve(
  listener: (socket: VsockSocket) => void,
): Promise<{ server: VsockServer; port: number; close: () => Promise<void> }> {
  const server = createServer({ allowHalfOpen: true }, listener)
  server.listen({ port: VMADDR_PORT_ANY })
  await once(server, 'listening')
  const close = (): Promise<void> => new Promise((closed) => server.close(() => closed()))
  return { server, port: server.address()?.port as number, close }
}

await check('addresses', async () => {
  assert.equal(getLocalCid(), HERE)
  const seen: (number | undefined)[] = []
  const { port, close, server } = await serve((socket) => {
    seen.push(socket.remoteCid, socket.remotePort, socket.localCid, socket.localPort)
    socket.end()
  })
  const socket = await connect({ cid: HERE, port })
  assert.deepEqual([socket.remoteCid, socket.remotePort, socket.localCid], [HERE, port, HERE])
  const own = socket.localPort
  socket.resume()
  await once(socket, 'close')
  assert.deepEqual(seen, [HERE, own, HERE, port])
  assert.deepEqual(server.address(), {
    ...{ address: '4294967295', family: 'VSOCK', cid: 4_294_967_295, port },
  })
  await close()
})

await check('errors of the kernel', async () => {
  const refused = (cid: number, port: number): Promise<unknown> =>
    connect({ cid, port }).catch((error: unknown) => error)
  const nobody = (await refused(HERE, NOBODY)) as NodeJS.ErrnoException & { cid: number }
  assert.equal(nobody.code, 'ECONNRESET')
  assert.equal(nobody.syscall, 'connect')
  assert.equal(nobody.cid, HERE)
  assert.match(nobody.message, /port 4294900000 \(nobody listens/)
  for (const cid of [2, 3, 77]) {
    assert.equal(((await refused(cid, 5000)) as NodeJS.ErrnoException).code, 'ENODEV')
  }
  const failed = async (cid: number, port: number): Promise<string> => {
    const server = createServer()
    server.listen({ cid, port })
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    return error.code ?? ''
  }
  assert.equal(await failed(99, 5000), 'EADDRNOTAVAIL')
  const { port, close } = await serve(() => {})
  assert.equal(await failed(HERE, port), 'EADDRINUSE')
  await close()
  const source = `import { createServer } from '@enclavejs/vsock'
    createServer().listen({ port: 80 }).on('error', (error) => console.log(error.code))`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    ...{ uid: 65534, gid: 65534, cwd: '/app', encoding: 'utf8' },
  })
  assert.equal(out.trim(), 'EACCES')
  // No udev, so that /dev/vsock is root's.
  const local = `import { getLocalCid } from '@enclavejs/vsock'
    try { getLocalCid() } catch (error) { console.log(error.code, error.message.includes('/dev/vsock')) }`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', local], {
    ...{ uid: 65534, gid: 65534, cwd: '/app', encoding: 'utf8' },
  })
  assert.equal(said.trim(), 'EACCES true')
})

done()
