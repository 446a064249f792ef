import { readFileSync } from 'node:fs'
import { Decoder } from 'cbor-x'
import { expect, it } from 'vitest'
import { createCertificateAuthority, createSimulatedNsm } from '../src/index.ts'

/** What QEMU's device answered; `difference` names a row of the table in the README. */
interface Exchange {
  readonly name: string
  /** Hexadecimal parts; `07*48` stands for 48 bytes of 07. */
  readonly request: string
  /** Hexadecimal, or `errno N` of the ioctl, or `document` or `random` for what is never the same. */
  readonly answer: string
  readonly difference?: string
}

const { exchanges } = JSON.parse(
  readFileSync(new URL('qemu-10.0.2-nsm.json', import.meta.url), 'utf8'),
) as { readonly exchanges: readonly Exchange[] }
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const decoder = new Decoder({ mapsAsObjects: true, useRecords: false })

function bytesOf(request: string): Uint8Array {
  const parts = request.split(' ').map((part) => {
    const [hex = '', count] = part.split('*')
    return Buffer.from(count === undefined ? hex : hex.repeat(Number(count)), 'hex')
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** The answer without the order of its maps, which differs between QEMU and AWS. */
function meaning(answer: string): unknown {
  if (answer.startsWith('a16b4174746573746174696f6ea168646f63756d656e74')) return 'document'
  if (answer.startsWith('a16947657452616e646f6da16672616e646f6d590100')) return 'random'
  if (!/^(?:[0-9a-f]{2})+$/.test(answer)) return answer
  return decoder.decode(Buffer.from(answer, 'hex'))
}

it("answers QEMU's script of requests as QEMU does, but where the README says otherwise", async () => {
  const moduleId = 'i-0123456789abcdef0-enc0123456789abcdef'
  const certificateAuthority = await createCertificateAuthority()
  const nsm = createSimulatedNsm({ certificateAuthority, moduleId, blank: true })
  expect(exchanges.length).toBeGreaterThan(60)
  for (const { name, request, answer, difference } of exchanges) {
    const ours = meaning(Buffer.from(nsm.requestSync(bytesOf(request))).toString('hex'))
    if (difference === undefined) expect(ours, name).toEqual(meaning(answer))
    else {
      expect(ours, name).not.toEqual(meaning(answer))
      expect(readme, `the README's table names it: ${difference}`).toMatch(
        new RegExp(`^\\| ${difference} +\\|`, 'm'),
      )
    }
  }
})
