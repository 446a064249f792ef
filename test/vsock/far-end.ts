import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Case, Certificate } from './case.ts'
import { runCallingEnd, ServingEnd } from './suite.ts'
import type { Transport } from './transport.ts'

const LONGEST = 75_000

/** What one end of the suite asks the other for, over a connection of its own: a line of JSON each. */
export type Request =
  | { readonly do: 'serve'; readonly name: string }
  | { readonly do: 'close' }
  | { readonly do: 'call'; readonly name: string; readonly port: number }
  | { readonly do: 'ask'; readonly name: string }

/** Takes requests until the connection ends. `answers` are further things that can be asked for. */
export async function obey(
  control: Socket,
  transport: Transport,
  certificate: Certificate,
  cases: readonly Case[],
  answers: Readonly<Record<string, () => unknown>>,
): Promise<void> {
  let serving: ServingEnd | undefined
  const find = (name: string): Case => cases.find((one) => one.name === name) as Case
  const answer = async (request: Request): Promise<unknown> => {
    switch (request.do) {
      case 'serve':
        serving = new ServingEnd(find(request.name), transport, certificate)
        return await serving.listen()
      case 'close':
        await serving?.close()
        return serving?.lines
      case 'call':
        return await runCallingEnd(find(request.name), transport, certificate, request.port)
      case 'ask':
        return await answers[request.name]?.()
    }
  }
  control.on('error', () => {})
  for await (const line of createInterface({ input: control })) {
    control.write(`${JSON.stringify(await answer(JSON.parse(line) as Request))}\n`)
  }
}

/** The other end of {@link obey}. */
export class FarEnd {
  readonly #control: Socket
  readonly #lines: AsyncIterableIterator<string>

  constructor(control: Socket) {
    this.#control = control
    this.#lines = createInterface({ input: control })[Symbol.asyncIterator]()
  }

  async ask<T>(request: Request): Promise<T> {
    this.#control.write(`${JSON.stringify(request)}\n`)
    const timer = setTimeout(() => this.#control.destroy(), LONGEST)
    const { value, done } = await this.#lines.next()
    clearTimeout(timer)
    if (done === true) throw new Error(`no answer to ${JSON.stringify(request)}`)
    return JSON.parse(value) as T
  }

  /** Half-close does not go between all machines, so that this is no end but a cut. */
  end(): void {
    this.#control.destroy()
  }
}
