// What would run in a page, from an origin that is not the parent's: fetch, WebCrypto, and nothing of Node. Only what tells it where to
// go and takes its answers is Node's: the messages of its process.
import { createSealedFetch } from '@enclavejs/attested-tls/browser'
import type { PageTask, PageOutcome } from './browser.ts'
import { refusalOf } from './refusal.ts'

async function run({ url, policy, question, fields }: PageTask): Promise<PageOutcome> {
  const images: string[] = []
  const sealedFetch = createSealedFetch({
    ...{ url, ...policy, timeout: 15_000 },
    onAttested: ({ referenceLabel }) => void images.push(referenceLabel ?? ''),
  })
  try {
    const body = JSON.stringify(fields)
    const response = await sealedFetch(`/${question}`, { method: 'POST', body })
    const answer = (await response.json()) as Extract<PageOutcome, { answer: unknown }>['answer']
    return { image: images.join(), answer }
  } catch (error) {
    return { refused: refusalOf(error) }
  }
}

process.on('message', (task: PageTask) => void run(task).then((outcome) => process.send?.(outcome)))
console.log('ready')
