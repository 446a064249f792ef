import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSimulatedImds, type SimulatedImds } from '../src/imds.ts'
import { createSimulatedAccount, type SimulatedAccount } from '../src/kms.ts'

const ROLES = '/latest/meta-data/iam/security-credentials/'

let clock: number
let account: SimulatedAccount
let imds: SimulatedImds
const now = (): Date => new Date(clock)

beforeEach(async () => {
  clock = Date.parse('2026-03-01T12:00:00Z')
  account = createSimulatedAccount({ now })
  imds = await createSimulatedImds({ account, role: 'team/enclave', now, instanceId: 'i-0abc' })
})
afterEach(() => imds.close())

async function token(ttl = 21_600): Promise<string> {
  const answer = await fetch(`${imds.url}/latest/api/token`, {
    method: 'PUT',
    headers: { 'X-aws-ec2-metadata-token-ttl-seconds': String(ttl) },
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-aws-ec2-metadata-token-ttl-seconds')).toBe(String(ttl))
  return answer.text()
}

async function get(path: string, held?: string): Promise<Response> {
  const headers = { 'X-aws-ec2-metadata-token': held ?? (await token()) }
  return fetch(imds.url + path, { headers })
}

interface RoleDocument {
  Code: string
  AccessKeyId: string
  SecretAccessKey: string
  Token: string
  Expiration: string
}

async function roleDocument(): Promise<RoleDocument> {
  return (await (await get(`${ROLES}enclave`)).json()) as RoleDocument
}

describe('the session token', () => {
  it('is required: version 1 is refused', async () => {
    expect((await fetch(imds.url + ROLES)).status).toBe(401)
    expect((await get(ROLES, 'made up')).status).toBe(401)
  })

  it('ends', async () => {
    const held = await token(60)
    expect((await get(ROLES, held)).status).toBe(200)
    clock += 60_000
    expect((await get(ROLES, held)).status).toBe(401)
  })

  it.each(['0', '21601', '-1', 'long', ''])('is refused for a TTL of "%s"', async (ttl) => {
    const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': ttl }
    const answer = await fetch(`${imds.url}/latest/api/token`, { method: 'PUT', headers })
    expect(answer.status).toBe(400)
  })

  it('is not given to a proxy, and not to GET', async () => {
    const headers = {
      'X-aws-ec2-metadata-token-ttl-seconds': '60',
      'X-Forwarded-For': '10.0.0.1',
    }
    const url = `${imds.url}/latest/api/token`
    expect((await fetch(url, { method: 'PUT', headers })).status).toBe(403)
    expect((await fetch(url)).status).toBe(405)
  })
})

describe('what is served', () => {
  it('the role and its credentials, which the account knows', async () => {
    expect(await (await get(ROLES)).text()).toBe('enclave')
    const document = await roleDocument()
    expect(document).toMatchObject({
      Code: 'Success',
      Type: 'AWS-HMAC',
      LastUpdated: '2026-03-01T12:00:00Z',
      Expiration: '2026-03-01T18:00:00Z',
    })
    const known = account.find(document.AccessKeyId)
    expect(known?.credentials.secretAccessKey).toBe(document.SecretAccessKey)
    expect(known?.credentials.sessionToken).toBe(document.Token)
    expect(known?.principal).toMatchObject({
      principalArn: 'arn:aws:iam::123456789012:role/team/enclave',
      sessionArn: 'arn:aws:sts::123456789012:assumed-role/enclave/i-0abc',
    })
  })

  it('the same set until little of it is left, or it is rotated', async () => {
    const first = await roleDocument()
    clock += 6 * 3_600_000 - 600_000
    expect((await roleDocument()).AccessKeyId).toBe(first.AccessKeyId)
    clock += 1000
    const second = await roleDocument()
    expect(second.AccessKeyId).not.toBe(first.AccessKeyId)
    expect(second.Expiration > first.Expiration).toBe(true)
    expect(imds.rotate().accessKeyId).toBe((await roleDocument()).AccessKeyId)
  })

  it.each([
    ['/latest/meta-data/instance-id', 'i-0abc'],
    ['/latest/meta-data/placement/region', 'eu-west-1'],
    ['/latest/meta-data/placement/availability-zone', 'eu-west-1a'],
  ])('%s', async (path, text) => {
    expect(await (await get(path)).text()).toBe(text)
  })

  it('the identity document and the profile', async () => {
    const identity = await (await get('/latest/dynamic/instance-identity/document')).json()
    expect(identity).toMatchObject({ accountId: '123456789012', region: 'eu-west-1' })
    const info = await (await get('/latest/meta-data/iam/info')).json()
    expect(info).toMatchObject({
      InstanceProfileArn: 'arn:aws:iam::123456789012:instance-profile/team/enclave',
    })
  })

  it('nothing else', async () => {
    expect((await get(`${ROLES}another`)).status).toBe(404)
    expect((await get('/latest/user-data')).status).toBe(404)
    expect((await fetch(imds.url + ROLES, { method: 'POST' })).status).toBe(405)
  })
})

describe('faults', () => {
  it('of the answer', async () => {
    const held = await token()
    const path = `${ROLES}enclave`
    imds.fault({ kind: 'status', status: 503, body: 'later', path: ROLES })
    imds.fault({ kind: 'malformed', path: ROLES })
    imds.fault({ kind: 'failed', path: ROLES })
    imds.fault({ kind: 'expired', path: ROLES })
    imds.fault({ kind: 'foreign', path: ROLES })
    expect((await get(path, held)).status).toBe(503)
    await expect((await get(path, held)).json()).rejects.toThrow(SyntaxError)
    expect(await (await get(path, held)).json()).toMatchObject({ Code: 'Failed' })
    const expired = (await (await get(path, held)).json()) as RoleDocument
    expect(Date.parse(expired.Expiration)).toBeLessThan(clock)
    const foreign = (await (await get(path, held)).json()) as RoleDocument
    expect(account.find(foreign.AccessKeyId)).toBeUndefined()
    expect(await (await get(path, held)).json()).toMatchObject({ Code: 'Success' })
  })

  it('of the connection', async () => {
    imds.fault({ kind: 'refuse' })
    await expect(fetch(imds.url)).rejects.toThrow('fetch failed')
    imds.fault({ kind: 'stall' })
    await expect(fetch(imds.url, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    imds.fault({ kind: 'slow', delayMs: 150 })
    const start = performance.now()
    await get(ROLES, 'none')
    expect(performance.now() - start).toBeGreaterThan(140)
    expect(() => imds.fault({ kind: 'refuse', times: 0 })).toThrow(RangeError)
    imds.fault({ kind: 'refuse', times: Infinity })
    imds.clearFaults()
    expect((await get(ROLES)).status).toBe(200)
  })
})

it('records what it was asked', async () => {
  await get(ROLES)
  expect(imds.requests.map(({ method, path, status }) => [method, path, status])).toEqual([
    ['PUT', '/latest/api/token', 200],
    ['GET', ROLES, 200],
  ])
})

it('listens on a Unix socket, and nowhere but on this machine', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-imds-'))
  const path = join(folder, 'imds.sock')
  try {
    await using other = await createSimulatedImds({ account, role: 'enclave', listen: { path } })
    expect(other.address()).toEqual({ path })
    expect(() => other.url).toThrow('Unix socket')
    const socket = await other.connect('169.254.169.254', 80)
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest({ path: '/', createConnection: () => socket })
      request.on('response', (response) => resolve(response.statusCode))
      request.on('error', reject)
      request.end()
    })
    expect(status).toBe(401)
  } finally {
    rmSync(folder, { recursive: true })
  }
  await expect(
    createSimulatedImds({ account, role: 'enclave', listen: { host: '0.0.0.0' } }),
  ).rejects.toThrow(/^listen\.host/)
})
