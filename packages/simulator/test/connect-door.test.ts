import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulatedAws, type SimulatedAws } from '../src/aws.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-door-'))
const directory = join(folder, 'simulator')
let aws: SimulatedAws

beforeAll(async () => {
  aws = await startSimulatedAws({ directory })
})
afterAll(async () => {
  await aws.close()
  rmSync(folder, { recursive: true })
})

function ask(line: string): Socket {
  const socket = connect(join(directory, 'vsock', '3_8001'))
  socket.on('error', () => undefined)
  socket.write(`CONNECT 8001 16 1024\n${line}\r\nHost: x\r\n\r\n`)
  return socket
}

describe('port 8001', () => {
  it.each([
    ['kms.eu-west-1.amazonaws.com', 'ENCLAVEJS_SIMULATED_KMS_CA'],
    ['my-bucket.s3.eu-west-1.amazonaws.com', 'ENCLAVEJS_SIMULATED_ACM_CA'],
    ['ec2.eu-west-1.amazonaws.com', 'ENCLAVEJS_SIMULATED_ACM_CA'],
  ])('leads to %s', async (servername, variable) => {
    const socket = ask(`CONNECT ${servername}:443 HTTP/1.1`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toBe('HTTP/1.1 200 OK\r\n\r\n')
    const ca = readFileSync(aws.environment[variable] ?? '', 'utf8')
    const tls = tlsConnect({ socket, servername, ca })
    await once(tls, 'secureConnect')
    expect(tls.authorized).toBe(true)
    tls.destroy()
  })

  it.each([
    'CONNECT example.com:443 HTTP/1.1',
    'CONNECT kms.eu-west-1.amazonaws.com:80 HTTP/1.1',
    'GET / HTTP/1.1',
    `CONNECT ${'a'.repeat(9000)}:443 HTTP/1.1`,
  ])('refuses %s', async (line) => {
    expect(await text(ask(line))).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
  })
})
