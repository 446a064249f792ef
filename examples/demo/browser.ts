import type { EifReferenceValues } from '@enclavejs/eif'
import type { Answer } from './client.ts'
import { Program } from './program.ts'
import { RefusedError, type Refusal } from './refusal.ts'

/** What the page is told to do: to ask one question, as if it had just been opened. */
export interface PageTask {
  readonly url: string
  readonly policy: {
    readonly referenceValues: EifReferenceValues
    readonly trustAnchors: readonly Uint8Array[]
  }
  readonly question: string
  readonly fields: Answer
}

/** The enclave's answer with the label of the image that it accepted, or why there is none. */
export type PageOutcome =
  { readonly image: string; readonly answer: Answer } | { readonly refused: Refusal }

/** A process that has what a browser has, and the page of the demo. */
export class Browser {
  readonly program: Program
  readonly #policy: PageTask['policy']

  private constructor(program: Program, policy: PageTask['policy']) {
    this.program = program
    this.#policy = policy
  }

  static async open(
    referenceValues: EifReferenceValues,
    trustAnchor: Uint8Array,
  ): Promise<Browser> {
    const preload = new URL('./no-node.ts', import.meta.url).href
    const { program } = await Program.start(preload, './page.ts', [], {})
    return new Browser(program, { referenceValues, trustAnchors: [trustAnchor] })
  }

  /**
   * Asks the enclave to which a port of the parent leads; the document is asked for and verified anew.
   *
   * @throws {RefusedError} what the page or the enclave refused.
   */
  async ask(
    port: number,
    question: string,
    fields: Answer = {},
  ): Promise<{ image: string; answer: Answer }> {
    const url = `http://127.0.0.1:${port}`
    const task: PageTask = { url, policy: this.#policy, question, fields }
    const outcome = (await this.program.ask(task)) as PageOutcome
    if ('refused' in outcome) throw new RefusedError(outcome.refused)
    const { refused } = outcome.answer as { refused?: Refusal }
    if (refused !== undefined) throw new RefusedError(refused)
    return outcome
  }

  async secret(port: number, ciphertext: Uint8Array): Promise<Buffer> {
    const fields = { ciphertext: Buffer.from(ciphertext).toString('base64') }
    const { answer } = await this.ask(port, 'secret', fields)
    return Buffer.from(answer['secret'] ?? '', 'base64')
  }
}
