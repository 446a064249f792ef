import type { Duplex } from 'node:stream'
import Pool from 'undici/lib/dispatcher/pool.js'
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
  const pool = new Pool(`http://${host}${port === 80 ? '' : `:${port}`}`, {
    connections: 1,
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
    return await exchange(pool, { method, path, headers, reset: true }, timeout, signal)
  } finally {
    void pool.destroy().catch(() => undefined)
  }
}
