// The semantics suite in a process of its own, one line of JSON for each case:
//
//   node main.ts SPEC CERTIFICATE.json [PART OF A NAME]
import { readFileSync } from 'node:fs'
import type { Certificate } from './case.ts'
import { cases } from './cases.ts'
import { runCase } from './suite.ts'
import { openTransport } from './transport.ts'

const [, , spec = '', file = '', part = ''] = process.argv
const certificate = JSON.parse(readFileSync(file, 'utf8')) as Certificate
const transport = await openTransport(spec)
for (const one of cases) {
  if (!one.name.includes(part)) continue
  const { call, serve } = await runCase(one, transport, certificate)
  console.log(JSON.stringify({ name: one.name, call, serve }))
}
await transport.close()
