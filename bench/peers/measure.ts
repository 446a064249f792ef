// One peer, in a process of its own: MODULE FILE. It must accept the document and refuse it with a byte of its signature
// changed, before and after it is measured; otherwise the figure would say nothing.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { createUnit } from '../attestation/unit.ts'
import { compare, readBudget } from '../slice.ts'
import type { Peer, PeerCost } from './peer.ts'

async function accepts(peer: Peer, document: Uint8Array): Promise<boolean> {
  try {
    return await peer(document)
  } catch {
    return false
  }
}

const [module = '', file = ''] = process.argv.slice(2)
const { createPeer } = (await import(pathToFileURL(module).href)) as {
  createPeer(document: Uint8Array): Promise<Peer>
}
const document = new Uint8Array(readFileSync(file))
const forged = document.slice()
forged[forged.length - 1] = (forged.at(-1) as number) ^ 1

const peer = await createPeer(document)
if (await accepts(peer, forged)) throw new Error('it accepts a forged signature')
if (!(await peer(document))) throw new Error('it does not accept the document')
const operation = async (): Promise<void> => {
  if (!(await peer(document))) throw new Error('it no longer accepts the document')
}
const { milliseconds, slices } = readBudget()
// They carry no goal: fewer slices than the rows that do.
const budget = { milliseconds, slices: Math.min(slices, 9) }
const { cpu } = await compare(await createUnit(document.length), operation, budget)
const cost: PeerCost = { cpu }
console.log(JSON.stringify(cost))
