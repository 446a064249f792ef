import { createServer, type AddressInfo, type Server } from 'node:net'
import type { RequestListener } from 'node:http'
import {
  createCertificateAuthority,
  issueAttestationDocument,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import {
  serveAttested,
  type AttestedServer,
  type GetEvidence,
  type ServeAttestedOptions,
} from '../src/server.ts'

/** The PCRs of an image by its number. */
export function imagePcrs(image: number): { 0: Uint8Array; 1: Uint8Array; 2: Uint8Array } {
  const pcr = (index: number): Uint8Array => new Uint8Array(48).fill(16 * image + index + 1)
  return { 0: pcr(0), 1: pcr(1), 2: pcr(2) }
}

/** An authority, and Evidence of enclaves under it. */
export class Attester {
  readonly authority: CertificateAuthority
  /** What was asked for, in order. */
  readonly asked: Parameters<GetEvidence>[0][] = []

  private constructor(authority: CertificateAuthority) {
    this.authority = authority
  }

  static async open(): Promise<Attester> {
    return new Attester(await createCertificateAuthority())
  }

  /** The policy that accepts an image's documents. */
  policy(image = 1): {
    referenceValues: { pcrs: ReturnType<typeof imagePcrs> }
    trustAnchors: Uint8Array[]
  } {
    return {
      referenceValues: { pcrs: imagePcrs(image) },
      trustAnchors: [this.authority.trustAnchor],
    }
  }

  /** Documents of an enclave of an image. */
  evidence(image = 1): GetEvidence {
    return async (input) => {
      this.asked.push(input)
      return this.issue(input, image)
    }
  }

  issue(
    fields: { publicKey?: Uint8Array; nonce?: Uint8Array; userData?: Uint8Array },
    image = 1,
  ): Uint8Array {
    const pcrs = imagePcrs(image)
    return issueAttestationDocument(
      {
        moduleId: this.authority.moduleId,
        timestamp: Date.now(),
        pcrs: new Map(Object.entries(pcrs).map(([index, value]) => [Number(index), value])),
        ...fields,
      },
      this.authority.issueLeaf(),
    )
  }
}

/** A served enclave on a port of this machine, and what its handler was asked. */
export interface Enclave extends AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly listener: Server
  readonly served: AttestedServer
  /** Method and URL of each request that reached the handler. */
  readonly requests: string[]
}

/** Serves on a port of the loopback interface. */
export async function openEnclave(
  options: Partial<ServeAttestedOptions> & { readonly getEvidence: GetEvidence },
): Promise<Enclave> {
  const requests: string[] = []
  const answer: RequestListener =
    options.handler ?? ((_request, response) => response.end('from the enclave'))
  const listener = createServer()
  const served = await serveAttested({
    listener,
    ...options,
    handler: (request, response) => {
      requests.push(`${request.method} ${request.url}`)
      answer(request, response)
    },
  })
  const port = await listen(listener)
  const scheme = options.transport === 'sealed' ? 'http' : 'https'
  return {
    ...{ port, listener, served, requests },
    url: `${scheme}://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => served.close({ deadline: 0 }),
  }
}

/** Listens on a free port of the loopback interface. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** The `code` of what a call refuses with, or that of its cause (undici's `fetch` wraps); `accepted` when it does not. */
export async function outcome(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    const { code, cause, name } = error as { code?: string; cause?: unknown; name: string }
    const inner = (cause as { code?: string } | undefined)?.code
    const ours = [code, inner].find((one) => one?.startsWith('ERR_ATTESTED_TLS_'))
    return ours ?? code ?? inner ?? name
  }
}
