// The semantics suite (test/vsock) on the packed @enclavejs/vsock over the kernel's own AF_VSOCK, by loopback. What is seen
// goes to the host, which has what TCP shows.
import { readFileSync } from 'node:fs'
import type { Certificate } from '../../vsock/case.ts'
import { cases } from '../../vsock/cases.ts'
import { runCase } from '../../vsock/suite.ts'
import { openTransport } from '../../vsock/transport.ts'
import { done, give, note } from './report.ts'

const certificate = JSON.parse(readFileSync('/app/certificate.json', 'utf8')) as Certificate
const transport = await openTransport('vsock')
for (const one of cases) {
  const started = performance.now()
  const outcome = await runCase(one, transport, certificate)
  const seconds = (performance.now() - started) / 1000
  if (seconds > 8) note(`${one.name}: ${seconds.toFixed(1)} s`)
  give(one.name, Buffer.from(JSON.stringify(outcome)))
}
done()
