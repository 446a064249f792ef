import type { Case } from './case.ts'
import { chunks } from './cases/chunks.ts'
import { connecting } from './cases/connecting.ts'
import { destroying } from './cases/destroying.ts'
import { flowing } from './cases/flowing.ts'
import { halves } from './cases/halves.ts'
import { processes } from './cases/processes.ts'
import { protocols } from './cases/protocols.ts'
import { serving } from './cases/serving.ts'

/** The semantics of sockets and servers, as data. */
export const cases: readonly Case[] = [
  ...[connecting, destroying, flowing, chunks, halves, serving, processes, protocols].flat(),
]
