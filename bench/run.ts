// `npm run bench -- NAME [--json]`: runs one benchmark, or all of them without a NAME. A goal that is missed is printed,
// and is no failure: the machine may be a slow one. Exit status 2 is wrong use.
import { parseArgs } from 'node:util'
import type { Row } from './row.ts'
import { formatJson, formatTable } from './table.ts'

interface Benchmark {
  bench(): Promise<readonly Row[]>
}

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  attestation: () => import('./attestation.ts'),
  nsm: () => import('./nsm.ts'),
  vsock: () => import('./vsock.ts'),
  'vsock-proxy': () => import('./vsock-proxy.ts'),
  kms: () => import('./kms.ts'),
  eif: () => import('./eif.ts'),
  acm: () => import('./acm.ts'),
  'attested-tls': () => import('./attested-tls.ts'),
}

/** Without a NAME: the rows of `vsock-proxy` are among those of `vsock`. */
const ALL = Object.keys(BENCHMARKS).filter((name) => name !== 'vsock-proxy')

function readArguments(): { readonly names: readonly string[]; readonly json: boolean } {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [name, ...more] = positionals
  if (more.length > 0) throw new TypeError('one NAME at a time')
  if (name === undefined) return { names: ALL, json: values.json }
  if (!Object.hasOwn(BENCHMARKS, name)) throw new TypeError(`no benchmark is named ${name}`)
  return { names: [name], json: values.json }
}

async function main(): Promise<void> {
  let wanted
  try {
    wanted = readArguments()
  } catch (error) {
    const names = Object.keys(BENCHMARKS).join(', ')
    console.error(`${(error as Error).message}\nuse: npm run bench -- [NAME] [--json]\n${names}`)
    process.exitCode = 2
    return
  }
  const { names, json } = wanted
  for (const name of names) {
    const { bench } = await (BENCHMARKS[name] as () => Promise<Benchmark>)()
    const rows = await bench()
    if (json) {
      for (const row of rows) console.log(formatJson(row, names.length > 1 ? name : undefined))
    } else {
      console.log(`${name}, Node ${process.versions.node}\n${formatTable(name, rows)}`)
    }
  }
}

await main()
