import type { Duplex } from 'node:stream'
import Client from 'undici/lib/dispatcher/client.js'
import { readStream, type Connect } from '../connect.ts'
import { answerCallback, exchange, HEAD_MAX, type HttpResponse } from '../http-exchange.ts'

export interface PlainRequest {
  readonly connect: Connect
  readonly host: string
  readonly port?: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeout: number
  readonly signal?: AbortSignal
}

/** One request of plain HTTP/1.1 over a stream of its own, with at most 16 KiB of head and 64 KiB of body. Redirects are not followed. */
export async function requestPlain(request: PlainRequest): Promise<HttpResponse> {
  const { connect, host, port = 80, method, path, headers, timeout, signal } = request
  const client = new Client(`http://${host}${port === 80 ? '' : `:${port}`}`, {
    pipelining: 1,
    maxHeaderSize: HEAD_MAX,
    useMilo: false,
    connect: (_target, callback) => {
      const dialed = async (): Promise<Duplex> =>
        readStream(await connect(host, port, signal === undefined ? {} : { signal }))
      void answerCallback(dialed(), callback)
    },
  })
  try {
    const options = { method, path, headers, reset: true } as const
    return await exchange((one) => client.dispatch(options, one), timeout, signal)
  } finally {
    void client.destroy().catch(() => undefined)
  }
}
