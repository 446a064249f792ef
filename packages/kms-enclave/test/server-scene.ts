import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { createKmsClient, type KmsClient, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, HOST, KEY_ARN, KmsServer } from './kms-server.ts'
import { TlsAuthority } from './tls-authority.ts'

/** A server for the tests of a file, and a client for each of them. */
export interface ServerScene {
  readonly server: KmsServer
  readonly client: KmsClient
  /** Another client of the same server. */
  open(options?: Partial<KmsClientOptions>): KmsClient
}

export const EncryptionContext = { purpose: 'test', object: '7' }
/** What the server answers to Encrypt. */
export const encrypted: Readonly<Record<string, string>> = {
  KeyId: KEY_ARN,
  CiphertextBlob: Buffer.from('ciphertext').toString('base64'),
  EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
}

export const getEvidence = async (): Promise<Uint8Array> => new Uint8Array([1, 2, 3])

/** For the top of a test file: the server lives as long as its tests, a client as long as each. */
export function serverScene(): ServerScene {
  let authority: TlsAuthority
  let server: KmsServer
  let client: KmsClient

  const open = (options: Partial<KmsClientOptions> = {}): KmsClient =>
    createKmsClient({
      keyArn: KEY_ARN,
      connect: server.connect,
      credentials: CREDENTIALS,
      getEvidence,
      roots: [authority.root],
      ...options,
    })

  beforeAll(async () => {
    authority = await TlsAuthority.create()
    server = await KmsServer.start(await authority.issue({ names: [HOST] }), () => undefined)
  })
  afterAll(async () => {
    await server.close()
    authority.remove()
  })
  beforeEach(() => {
    server.seen.length = 0
    server.connections = 0
    client = open()
  })
  afterEach(() => client.close())
  return {
    get server() {
      return server
    },
    get client() {
      return client
    },
    open,
  }
}
