// attested-echo and signer, both ends on the simulator: this process is the parent, the enclaves are others. Every refusal that
// the examples know is made to happen. (The other examples have tests of their own.)
import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createVerifier, type Verifier } from '@enclavejs/attestation'
import { readCpio, sectionSource } from '@enclavejs/eif'
import { buildProgram, openFileSource } from '@enclavejs/eif/node'
import { openCertificateAuthority, type CertificateAuthority } from '@enclavejs/simulator'
import { connect, MessageClient } from '@enclavejs/vsock'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { ATTEST, ECHO, PURPOSE as ECHO_PURPOSE } from '../examples/attested-echo/channel.ts'
import { EchoClient } from '../examples/attested-echo/client.ts'
import { writeKernelStandIn } from '../examples/demo/image.ts'
import { isSigned, SignerClient } from '../examples/signer/client.ts'
import { PURPOSE as SIGNER_PURPOSE, SIGN } from '../examples/signer/purpose.ts'
import { genuineDocument, type GenuineFields } from './examples/genuine-document.ts'
import { flipped, ParentRelay, type Mischief } from './examples/parent-relay.ts'
import { ExampleProgram } from './examples/program.ts'
import { repository } from './temporary-tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-examples-'))
const pcrs = { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) }
const reference = { label: 'example', pcrs }
const encode = (value: string): Uint8Array => new TextEncoder().encode(value)
const [ECHO_CID, SIGNER_CID, OTHER_CID] = [16, 17, 18]

let authority: CertificateAuthority
let verifier: Verifier
const programs: ExampleProgram[] = []

/** Boots an example as an enclave, with the PCRs of the image that clients know unless `pcr2` says otherwise. */
async function boot(file: string, cid: number, pcr2: string = pcrs[2]): Promise<void> {
  programs.push(
    await ExampleProgram.start(file, [], {
      ENCLAVEJS_SIMULATOR_CID: String(cid),
      ENCLAVEJS_SIMULATOR_PCRS: `0=${pcrs[0]},1=${pcrs[1]},2=${pcr2}`,
    }),
  )
}

beforeAll(async () => {
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = folder
  await import('@enclavejs/simulator/register/parent')
  authority = await openCertificateAuthority(folder)
  verifier = createVerifier({ referenceValues: reference, trustAnchors: [authority.trustAnchor] })
  await boot('attested-echo/main.ts', ECHO_CID)
  await boot('signer/main.ts', SIGNER_CID)
  await boot('attested-echo/main.ts', OTHER_CID, 'ff'.repeat(48))
})
afterAll(async () => {
  const statuses = await Promise.all(programs.map((program) => program.stop()))
  rmSync(folder, { recursive: true, force: true })
  expect(statuses).toEqual(programs.map(() => 0))
})

const direct =
  (cid: number) =>
  ({ signal }: { signal: AbortSignal }) =>
    connect({ cid, port: 5000, signal })

/** What the enclave answers to bytes of any form: the code of its refusal. */
async function refusalOf(cid: number, message: Uint8Array): Promise<unknown> {
  await using client = new MessageClient({ connect: direct(cid) })
  return client.request(message, { deadline: 5000 }).then(
    () => 'accepted',
    (error: { remoteCode?: string }) => error.remoteCode,
  )
}

const genuine = (fields: GenuineFields): Uint8Array => genuineDocument(authority, pcrs, fields)

describe('attested-echo', () => {
  const through = async <T>(
    mischief: Mischief,
    run: (client: EchoClient) => Promise<T>,
    cid = ECHO_CID,
  ): Promise<T> => {
    await using parent = await ParentRelay.start(cid, mischief)
    await using client = new EchoClient({ connect: parent.connect, verifier, deadline: 2000 })
    return await run(client)
  }
  const echo = (client: EchoClient): Promise<Uint8Array> => client.echo(encode('hello, enclave'))

  it('echoes, and the parent sees neither the question nor the answer', async () => {
    const carried: Uint8Array[] = []
    const mischief: Mischief = async (message, ask) => {
      const answer = await ask(message)
      carried.push(message, answer)
      return answer
    }
    expect(Buffer.from(await through(mischief, echo)).toString()).toBe('hello, enclave')
    expect(carried).toHaveLength(4)
    expect(Buffer.concat(carried).includes('hello')).toBe(false)
  })

  it('answers the program on the parent', async () => {
    const file = join(folder, 'reference.json')
    writeFileSync(file, JSON.stringify(reference))
    const ask = [
      'ask.ts',
      String(ECHO_CID),
      file,
      'hello from the parent',
      join(folder, 'root.pem'),
    ]
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...['--conditions=@enclavejs/source', '--import', '@enclavejs/simulator/register/parent'],
        ...ask,
      ],
      { cwd: join(repository, 'examples/attested-echo') },
    )
    expect(stdout).toBe('hello from the parent\n')
  })

  it.each([
    ['BAD_NONCE', Uint8Array.of(ATTEST, 1, 2, 3)],
    ['UNKNOWN_MESSAGE', Uint8Array.of(7)],
    ['UNKNOWN_MESSAGE', new Uint8Array(0)],
    ['NOT_SEALED_FOR_ME', Uint8Array.of(ECHO)],
    ['NOT_SEALED_FOR_ME', Uint8Array.of(ECHO, ...randomBytes(100))],
    ['TOO_LARGE', new Uint8Array(65_537)],
  ])('the enclave refuses with %s', async (code, message) => {
    expect(await refusalOf(ECHO_CID, message)).toBe(code)
  })

  it('the enclave refuses a point of small order as the client’s key', async () => {
    const { publicKey } = generateKeyPairSync('x25519')
    const key = publicKey.export({ type: 'spki', format: 'der' })
    key.fill(0, key.length - 32)
    const message = Buffer.concat([Uint8Array.of(ECHO), key, randomBytes(40)])
    expect(await refusalOf(ECHO_CID, message)).toBe('NOT_SEALED_FOR_ME')
  })

  it('another image is refused', async () => {
    const relayed = through((message, ask) => ask(message), echo, OTHER_CID)
    await expect(relayed).rejects.toMatchObject({ code: 'ERR_ATTESTATION_PCR', pcr: 2 })
  })

  it('a document of before is refused', async () => {
    let before: Uint8Array | undefined
    const replay: Mischief = async (message, ask) => {
      if (message[0] !== ATTEST) return ask(message)
      before ??= await ask(message)
      return before
    }
    const twice = through(replay, async (client) => {
      await client.attest()
      await client.attest()
    })
    await expect(twice).rejects.toMatchObject({ code: 'ERR_ATTESTATION_NONCE' })
  })

  it('a key of the same image that is for something else is refused', async () => {
    const relayed = through((message, ask) => ask(message), echo, SIGNER_CID)
    await expect(relayed).rejects.toMatchObject({ code: 'ERR_ATTESTATION_USER_DATA' })
  })

  it('a document without a key is refused', async () => {
    const keyless: Mischief = async (message) =>
      genuine({ nonce: message.subarray(1), userData: encode(ECHO_PURPOSE) })
    await expect(through(keyless, echo)).rejects.toMatchObject({ code: 'ERR_ECHO_ANSWER' })
  })

  it.each([
    [
      'changed',
      async (message: Uint8Array, ask: Parameters<Mischief>[1]) => flipped(await ask(message)),
    ],
    ['cut', async () => new Uint8Array(5)],
  ] as const)('an answer that is %s is refused', async (_name, change) => {
    const mischief: Mischief = (message, ask) =>
      message[0] === ECHO ? change(message, ask) : ask(message)
    await expect(through(mischief, echo)).rejects.toMatchObject({ code: 'ERR_ECHO_ANSWER' })
  })

  it('an answer to another question is refused', async () => {
    let before: Uint8Array | undefined
    const mischief: Mischief = async (message, ask) => {
      if (message[0] !== ECHO) return ask(message)
      before ??= await ask(message)
      return before
    }
    const twice = through(mischief, async (client) => {
      await echo(client)
      await echo(client)
    })
    await expect(twice).rejects.toMatchObject({ code: 'ERR_ECHO_ANSWER' })
  })

  it('a question that the parent changed is refused by the enclave', async () => {
    const mischief: Mischief = (message, ask) =>
      ask(message[0] === ECHO ? flipped(message, 3) : message)
    // The relay fails with the enclave's refusal, and tells its client no more than that it failed.
    await expect(through(mischief, echo)).rejects.toMatchObject({
      code: 'ERR_VSOCK_MESSAGE_REMOTE',
    })
    await using client = new EchoClient({ connect: direct(ECHO_CID), verifier })
    expect(Buffer.from(await echo(client)).toString()).toBe('hello, enclave')
  })

  it('a parent that does not answer is left at the deadline', async () => {
    const stall: Mischief = () => new Promise(() => undefined)
    await using parent = await ParentRelay.start(ECHO_CID, stall)
    const client = new EchoClient({ connect: parent.connect, verifier, deadline: 200 })
    await expect(echo(client)).rejects.toMatchObject({ code: 'ERR_VSOCK_MESSAGE_DEADLINE' })
  })
})

describe('signer', () => {
  const order = encode('{"order":"4711","amount":12}')
  const through = async <T>(
    mischief: Mischief,
    run: (client: SignerClient) => Promise<T>,
    cid = SIGNER_CID,
  ): Promise<T> => {
    await using parent = await ParentRelay.start(cid, mischief)
    await using client = new SignerClient({ connect: parent.connect, verifier })
    return await run(client)
  }
  const attest = (client: SignerClient): Promise<KeyObject> => client.attest()

  it('signs an order with the attested key, and nothing but what it means', async () => {
    await using client = new SignerClient({ connect: direct(SIGNER_CID), verifier })
    const key = await client.attest()
    const signature = await client.sign(order, key)
    expect(isSigned(order, signature, key)).toBe(true)
    expect(isSigned(encode('{"order":"4711","amount":13}'), signature, key)).toBe(false)
    expect((await client.attest()).equals(key)).toBe(true)
  })

  it('signs for the program on the parent', async () => {
    const file = join(folder, 'signer-reference.json')
    writeFileSync(file, JSON.stringify(reference))
    writeFileSync(join(folder, 'order.json'), '{ "order": "1", "amount": 1 }')
    const files = [file, join(folder, 'order.json'), join(folder, 'root.pem')]
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...['--conditions=@enclavejs/source', '--import', '@enclavejs/simulator/register/parent'],
        ...['ask.ts', String(SIGNER_CID), ...files],
      ],
      { cwd: join(repository, 'examples/signer') },
    )
    const { message, signature } = JSON.parse(stdout) as { message: string; signature: string }
    await using client = new SignerClient({ connect: direct(SIGNER_CID), verifier })
    const bytes = Buffer.from(signature, 'base64')
    expect(isSigned(encode(message), bytes, await client.attest())).toBe(true)
  })

  it.each([
    ['BAD_NONCE', ATTEST, '123'],
    ['BAD_NONCE', ATTEST, 'x'.repeat(65)],
    ['UNKNOWN_MESSAGE', 7, ''],
    ['NO_JSON', SIGN, '{'],
    ['NO_JSON', SIGN, '[]'],
    ['NO_JSON', SIGN, 'null'],
    ['NO_JSON', SIGN, '{"order":"1","order":"2","amount":1}'],
    ['NO_JSON', SIGN, '{"order":"1", "amount":1}'],
    ['NO_ORDER', SIGN, '{"order":"1"}'],
    ['NO_ORDER', SIGN, '{"order":"1","amount":-1}'],
    ['NO_ORDER', SIGN, '{"order":"a b","amount":1}'],
    ['UNKNOWN_FIELD', SIGN, '{"order":"1","amount":1,"to":"me"}'],
    ['TOO_LARGE', SIGN, 'x'.repeat(16_384)],
  ])('the enclave refuses with %s (%s %s)', async (code, kind, body) => {
    const message = Buffer.concat([Uint8Array.of(kind), encode(body)])
    expect(await refusalOf(SIGNER_CID, message)).toBe(code)
  })

  it('another image, and a key for something else, are refused', async () => {
    const relay: Mischief = (message, ask) => ask(message)
    const other = through(relay, attest, OTHER_CID)
    await expect(other).rejects.toMatchObject({ code: 'ERR_ATTESTATION_PCR' })
    const echo = through(relay, attest, ECHO_CID)
    await expect(echo).rejects.toMatchObject({ code: 'ERR_ATTESTATION_USER_DATA' })
  })

  it('a document of before is refused', async () => {
    let before: Uint8Array | undefined
    const replay: Mischief = async (message, ask) => (before ??= await ask(message))
    const twice = through(replay, async (client) => {
      await client.attest()
      await client.attest()
    })
    await expect(twice).rejects.toMatchObject({ code: 'ERR_ATTESTATION_NONCE' })
  })

  it('a key of another kind is refused', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const mischief: Mischief = async (message) =>
      genuine({ nonce: message.subarray(1), publicKey: spki, userData: encode(SIGNER_PURPOSE) })
    await expect(through(mischief, attest)).rejects.toMatchObject({ code: 'ERR_SIGNER_KEY' })
  })

  it('a signature that the parent changed, or of another order, is refused', async () => {
    const sign = async (client: SignerClient): Promise<Uint8Array> =>
      client.sign(order, await client.attest())
    const refused = { code: 'ERR_SIGNER_SIGNATURE' }
    const changed: Mischief = async (message, ask) =>
      message[0] === SIGN ? flipped(await ask(message)) : ask(message)
    await expect(through(changed, sign)).rejects.toMatchObject(refused)
    const other: Mischief = (message, ask) =>
      ask(
        message[0] === SIGN
          ? Buffer.concat([Uint8Array.of(SIGN), encode('{"order":"1","amount":1}')])
          : message,
      )
    await expect(through(other, sign)).rejects.toMatchObject(refused)
  })
})

const IMAGES = [
  ['attested-echo', ['channel.ts', 'main.ts', 'package.json']],
  ['signer', ['main.ts', 'package.json', 'purpose.ts']],
] as const

test.skipIf(process.platform !== 'linux').each(IMAGES)(
  '%s becomes an image of the files that the enclave needs, pinned like hello-enclave',
  async (name, files) => {
    const example = join(repository, 'examples', name)
    const lock = (of: string): string =>
      readFileSync(join(repository, 'examples', of, 'enclave.lock.json'), 'utf8')
    expect(lock(name)).toBe(lock('hello-enclave'))
    const docker = readFileSync(join(example, 'Dockerfile'), 'utf8')
    const own = files.filter((file) => file !== 'package.json')
    expect(docker).toContain(`COPY package.json ${own.join(' ')} ./`)
    const output = join(folder, `${name}.eif`)
    const { description, entry } = await buildProgram(output, {
      program: example,
      kernel: writeKernelStandIn(join(folder, 'kernel')),
      ...{ lock: join(folder, `${name}.lock.json`), updateLock: true, libraryRoot: '/./' },
    })
    expect(description.warnings).toEqual([])
    await using source = await openFileSource(output)
    const [, section] = description.sections.filter(({ type }) => type === 'ramdisk')
    const place = `rootfs${entry.replace(/main\.ts$/, '')}`
    const seen: string[] = []
    for await (const { name: path, mode } of readCpio(sectionSource(source, section as never))) {
      const inside = path.startsWith(place) ? path.slice(place.length) : ''
      if ((mode & 0o170000) === 0o100000 && /^[^/]+$/.test(inside)) seen.push(inside)
    }
    expect(seen.sort()).toEqual([...files])
    rmSync(output)
  },
)
