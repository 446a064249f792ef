// What an enclave finds on its simulated parent, spoken to as @enclavejs/vsock does: a Unix socket and one line.
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as tlsConnect } from 'node:tls'
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulatedAws, type SimulatedAws } from '../src/aws.ts'
import { loadCertificateAuthority } from '../src/index.ts'
import { sdkClient, testRecipient } from './kms/bench-of-kms.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-aws-'))
const directory = join(folder, 'simulator')
let aws: SimulatedAws

beforeAll(async () => {
  aws = await startSimulatedAws({ directory })
})
afterAll(async () => {
  await aws.close()
  rmSync(folder, { recursive: true })
})

function port(number: number, line = `CONNECT ${number} 16 1024\n`): Socket {
  const socket = connect(join(directory, 'vsock', `3_${number}`))
  socket.on('error', () => undefined)
  socket.write(line)
  return socket
}

describe('port 8000', () => {
  it('is the KMS, whose TLS begins at once', async () => {
    const servername = 'kms.eu-west-1.amazonaws.com'
    const ca = readFileSync(aws.environment['ENCLAVEJS_SIMULATED_KMS_CA'] ?? '', 'utf8')
    const tls = tlsConnect({ socket: port(8000), servername, ca })
    tls.write(`POST / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`)
    expect(await text(tls)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nx-amzn-RequestId/)
  })

  it.each([
    'CONNECT 8001 16 1024\n',
    'HELLO\n',
    'CONNECT 8000 16\n',
    'x'.repeat(41),
    `CONNECT 8000 16 ${'1'.repeat(11)}\n`,
  ])('is closed to who begins with %j', async (line) => {
    const socket = port(8000, line)
    socket.resume()
    await once(socket, 'close')
    expect(socket.bytesRead).toBe(0)
  })
})

describe('port 8002', () => {
  async function ask(question: string): Promise<string> {
    const socket = port(8002)
    socket.write(question)
    return text(socket)
  }
  const question = (refresh: unknown): string =>
    `${JSON.stringify({ enclavejs: 'credentials', version: 1, refresh })}\n`

  interface Given {
    version: number
    credentials: {
      accessKeyId: string
      secretAccessKey: string
      sessionToken: string
      expiration: string
    }
  }

  it('gives the credentials of the role, new ones when asked to', async () => {
    const first = JSON.parse(await ask(question(false))) as Given
    expect(first.version).toBe(1)
    const { accessKeyId, expiration, sessionToken } = first.credentials
    const known = aws.account.find(accessKeyId)?.credentials
    expect(known?.sessionToken).toBe(sessionToken)
    expect(known?.expiration?.toISOString()).toBe(expiration)
    expect(JSON.parse(await ask(question(false)))).toEqual(first)
    const second = JSON.parse(await ask(question(true))) as Given
    expect(second.credentials.accessKeyId).not.toBe(accessKeyId)
  })

  it.each(['{}\n', 'null\n', 'x\n', question('yes'), 'x'.repeat(1025)])(
    'answers nothing to %j',
    async (line) => {
      await expect(ask(line).catch(() => '')).resolves.toBe('')
    },
  )
})

it('documents of the directory’s authority are taken, and its key is there', async () => {
  const authority = await loadCertificateAuthority(directory)
  const client = sdkClient(aws.kms, aws.imds.credentials())
  const answer = await client.send(
    new GenerateDataKeyCommand({
      KeyId: 'alias/enclave',
      KeySpec: 'AES_256',
      Recipient: {
        AttestationDocument: testRecipient(authority).document(),
        KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
      },
    }),
  )
  expect(answer.KeyId).toBe(aws.keyArn)
  expect(answer.CiphertextForRecipient?.length).toBeGreaterThan(400)
  client.destroy()
})

it('a port is taken by one process alone: ERR_SIMULATOR_VSOCK_PORT', async () => {
  await expect(startSimulatedAws({ directory })).rejects.toMatchObject({
    code: 'ERR_SIMULATOR_VSOCK_PORT',
  })
  expect((await fetch(aws.imds.url)).status).toBe(401)
})

it('a socket that was left behind is no obstacle, and the policy of the key can be set', async () => {
  const other = join(folder, 'other')
  const first = await startSimulatedAws({ directory: other })
  await first.close()
  expect(existsSync(join(other, 'vsock', '3_8000'))).toBe(false)
  writeFileSync(join(other, 'vsock', '3_8000'), '')
  const policy = {
    Statement: {
      Effect: 'Allow' as const,
      Principal: { AWS: 'arn:aws:iam::123456789012:role/admin' },
      Action: 'kms:*',
      Resource: '*',
    },
  }
  const second = await startSimulatedAws({ directory: other, policy })
  expect(second.keyArn).toBe(first.keyArn)
  const client = sdkClient(second.kms, second.imds.credentials())
  const sent = client.send(new GenerateDataKeyCommand({ KeyId: second.keyArn, NumberOfBytes: 1 }))
  await expect(sent).rejects.toMatchObject({ name: 'AccessDeniedException' })
  client.destroy()
  await second.close()
})

it('without a directory it leaves nothing behind', async () => {
  const brief = await startSimulatedAws()
  const made = brief.environment['ENCLAVEJS_SIMULATOR_DIR'] ?? ''
  expect(existsSync(made)).toBe(true)
  await brief.close()
  expect(existsSync(made)).toBe(false)
})
