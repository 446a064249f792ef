// examples/verifier-service as a process of its own, asked over HTTP; every refusal is made to happen.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  createCertificateAuthority,
  openCertificateAuthority,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { genuineDocument, type GenuineFields } from './examples/genuine-document.ts'
import { flipped } from './examples/parent-relay.ts'
import { ExampleProgram } from './examples/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-verifier-service-'))
const pcrs = { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) }
const reference = { label: 'example', pcrs }
const encode = (value: string): Uint8Array => new TextEncoder().encode(value)

let authority: CertificateAuthority
const genuine = (fields: GenuineFields, by = authority): Uint8Array =>
  genuineDocument(by, pcrs, fields)

describe('verifier-service', () => {
  let service: ExampleProgram
  let url: URL
  const nonce = randomBytes(16)
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

  const post = async (
    body: string | Uint8Array,
    { path = '/verify', method = 'POST', type = 'application/json', chunked = false } = {},
  ): Promise<{ status: number | undefined; answer: Record<string, unknown> }> => {
    const length = chunked ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = request(new URL(path, url), {
      method,
      headers: { 'content-type': type, ...length },
    })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve)
      sent.on('error', reject)
      if (chunked) sent.write(body.slice(0, 1))
      sent.end(chunked ? body.slice(1) : body)
    })
    const answer = JSON.parse(await text(response)) as Record<string, unknown>
    return { status: response.statusCode, answer }
  }
  const ask = (question: object): ReturnType<typeof post> => post(JSON.stringify(question))

  beforeAll(async () => {
    authority = await openCertificateAuthority(folder)
    const configuration = {
      port: 0,
      referenceValues: [reference],
      trustAnchors: ['root.pem'],
    }
    const file = join(folder, 'configuration.json')
    writeFileSync(file, JSON.stringify(configuration))
    service = await ExampleProgram.start('verifier-service/main.ts', [file])
    url = new URL(/http:\S+/.exec(service.line)?.[0] ?? '')
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
    rmSync(folder, { recursive: true, force: true })
  })

  it('says what an accepted document says', async () => {
    const publicKey = randomBytes(32)
    const userData = encode('for this')
    const document = base64(genuine({ nonce, publicKey, userData }))
    const { status, answer } = await ask({ document, nonce: base64(nonce) })
    expect(status).toBe(200)
    expect(answer).toMatchObject({
      ...{ accepted: true, label: 'example', moduleId: authority.moduleId, pcrs },
      ...{ publicKey: base64(publicKey), userData: base64(userData) },
    })
    const expected = { publicKey: base64(publicKey), userData: base64(userData) }
    expect((await ask({ document, nonce: base64(nonce), ...expected })).status).toBe(200)
  })

  it.each([
    ['ERR_ATTESTATION_NONCE', () => ({ nonce: base64(randomBytes(16)) })],
    ['ERR_ATTESTATION_PUBLIC_KEY', () => ({ publicKey: base64(randomBytes(32)) })],
    ['ERR_ATTESTATION_USER_DATA', () => ({ userData: base64(randomBytes(32)) })],
    ['ERR_ATTESTATION_SIGNATURE', () => ({ document: base64(flipped(genuine({ nonce }))) })],
    ['ERR_ATTESTATION_SIZE', () => ({ document: '' })],
    ['ERR_ATTESTATION_SIZE', () => ({ document: base64(new Uint8Array(16_385)) })],
    [
      'ERR_ATTESTATION_TRUST_ANCHOR',
      async () => {
        const by = await createCertificateAuthority()
        return { document: base64(genuine({ nonce }, by)) }
      },
    ],
  ])('refuses with %s', async (code, change) => {
    const question = { document: base64(genuine({ nonce })), nonce: base64(nonce) }
    const { status, answer } = await ask({ ...question, ...(await change()) })
    expect([status, answer['accepted'], answer['code']]).toEqual([422, false, code])
  })

  it('refuses the document of another image', async () => {
    const other = genuineDocument(authority, { ...pcrs, 2: 'ff'.repeat(48) }, { nonce })
    const { status, answer } = await ask({ document: base64(other), nonce: base64(nonce) })
    expect([status, answer['code']]).toEqual([422, 'ERR_ATTESTATION_PCR'])
  })

  const good = { document: 'AAAA', nonce: base64(nonce) }
  it.each([
    ['no JSON', '{'],
    ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['a list', '[]'],
    ['null', 'null'],
    ['an unknown member', JSON.stringify({ ...good, acceptAnyImage: true })],
    ['no document', JSON.stringify({ nonce: good.nonce })],
    ['no base64', JSON.stringify({ ...good, document: 'A-_A' })],
    ['a number', JSON.stringify({ ...good, document: 1 })],
    ['no nonce', JSON.stringify({ document: 'AAAA' })],
    ['a short nonce', JSON.stringify({ ...good, nonce: base64(randomBytes(15)) })],
  ])('judges nothing when the question is %s', async (_name, body) => {
    const { status, answer } = await post(body)
    expect([status, answer['accepted'], answer['code']]).toEqual([400, false, 'BAD_QUESTION'])
  })

  it('judges nothing elsewhere, by another method, of another type', async () => {
    expect(await post('{}', { path: '/' })).toMatchObject({ status: 404 })
    expect(await post('', { method: 'GET' })).toMatchObject({ status: 405 })
    expect(await post('{}', { type: 'text/plain' })).toMatchObject({ status: 415 })
  })

  it.each([false, true])('reads no more than it needs (chunked: %s)', async (chunked) => {
    const { status, answer } = await post(' '.repeat(40_000), { chunked })
    expect([status, answer['code']]).toEqual([413, 'TOO_LARGE'])
  })

  it.each([
    ['acceptAnyImage is not known', { acceptAnyImage: true }],
    ['port must be', { referenceValues: [reference], port: 70_000 }],
    ['host must be', { referenceValues: [reference], host: 1 }],
    ['partition must be', { referenceValues: [reference], partition: 'mine' }],
    ['referenceValues', {}],
  ])('does not start when %s', async (message, configuration) => {
    const file = join(folder, 'bad.json')
    writeFileSync(file, JSON.stringify(configuration))
    await expect(ExampleProgram.start('verifier-service/main.ts', [file])).rejects.toThrow(message)
  })
})
