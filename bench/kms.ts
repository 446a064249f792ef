// One attested Decrypt beside one of AWS's own client without attestation, against the same KMS, the simulator's, in a
// process of its own. An attested call carries a document of 4 kB there and a CMS message back and opens it with RSA.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { runChild } from './child.ts'
import { installedSize } from './kms/installed-size.ts'
import type { Row } from './row.ts'
import { readBudget } from './slice.ts'

const AWS = '@aws-sdk/client-kms'
const OURS = '@enclavejs/kms-enclave'
const CLIENT = new URL('./kms/client.ts', import.meta.url)
const IMPORT = new URL('./kms/import.ts', import.meta.url)
const ROUNDS = 5

interface Taken {
  readonly cpu: number
  readonly p50: number
  readonly p99: number
  readonly rate: number
}

interface Imported {
  readonly rss: number
  readonly milliseconds: number
}

export async function bench(): Promise<readonly Row[]> {
  const { milliseconds, slices } = readBudget()
  const rounds = slices < 10 ? 1 : ROUNDS
  const server = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', fileURLToPath(new URL('./kms/server.ts', import.meta.url))],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    const [scene] = (await once(createInterface(server.stdout), 'line')) as [string]
    const client = async (mode: string): Promise<Taken> =>
      (await runChild(CLIENT, [mode, scene, String(milliseconds * 10)], {
        deadline: 120,
      })) as Taken
    const pairs: { readonly ours: Taken; readonly aws: Taken }[] = []
    for (let round = 0; round < rounds; round++) {
      const first = await client(round % 2 === 0 ? 'sdk' : 'attested')
      const second = await client(round % 2 === 0 ? 'attested' : 'sdk')
      pairs.push(round % 2 === 0 ? { aws: first, ours: second } : { aws: second, ours: first })
    }
    const single = await client('single-use')
    const more = await client('more-sockets')
    return [...rates(pairs, single, more), ...(await footprint(rounds))]
  } finally {
    server.stdin.end()
    server.kill()
  }
}

function rates(
  pairs: readonly { readonly ours: Taken; readonly aws: Taken }[],
  single: Taken,
  more: Taken,
): readonly Row[] {
  const of = (who: 'ours' | 'aws', what: keyof Taken): number =>
    median(pairs.map((pair) => pair[who][what]))
  const ratio = (what: keyof Taken): number =>
    median(pairs.map(({ ours, aws }) => ours[what] / aws[what]))
  const spread = (what: keyof Taken): string => {
    const ratios = pairs.map(({ ours, aws }) => ours[what] / aws[what])
    return `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  }
  const unit = `of ${AWS}`
  return [
    {
      row: 'decrypt-cpu',
      value: ratio('cpu'),
      unit,
      note: `${of('ours', 'cpu').toFixed(0)} against ${of('aws', 'cpu').toFixed(0)} µs of CPU a call, one at a time; ${spread('cpu')}`,
    },
    {
      row: 'rate',
      value: ratio('rate'),
      unit,
      note: `${of('ours', 'rate').toFixed(0)} against ${of('aws', 'rate').toFixed(0)} calls a second, 30 in flight; ${spread('rate')}`,
    },
    {
      row: 'rate-16-sockets',
      value: more.rate / of('aws', 'rate'),
      unit,
      note: `${more.rate.toFixed(0)} calls a second; without a word there are 3, as AWS's vsock-proxy serves no more than four`,
    },
    {
      row: 'p50',
      value: of('ours', 'p50'),
      unit: 'ms',
      note: `AWS's ${of('aws', 'p50').toFixed(2)}`,
    },
    {
      row: 'p99',
      value: of('ours', 'p99'),
      unit: 'ms',
      note: `AWS's ${of('aws', 'p99').toFixed(2)}`,
    },
    {
      row: 'single-use',
      value: single.p50,
      unit: 'ms',
      note: `a key for each call; ${single.rate.toFixed(1)} a second with 30 in flight`,
    },
  ]
}

async function footprint(rounds: number): Promise<readonly Row[]> {
  const load = async (name: string): Promise<Imported> => {
    const taken: Imported[] = []
    for (let round = 0; round < rounds; round++) {
      taken.push((await runChild(IMPORT, [name], { deadline: 60, conditions: false })) as Imported)
    }
    return {
      rss: median(taken.map(({ rss }) => rss)),
      milliseconds: median(taken.map(({ milliseconds }) => milliseconds)),
    }
  }
  const [bare, ours, aws] = [await load(''), await load(OURS), await load(AWS)]
  const [here, there] = [installedSize(OURS), installedSize(AWS)]
  const mega = (bytes: number): string => (bytes / 1e6).toFixed(1)
  const unit = `of ${AWS}`
  return [
    {
      row: 'rss',
      value: (ours.rss - bare.rss) / (aws.rss - bare.rss),
      unit,
      note: `${mega(ours.rss - bare.rss)} against ${mega(aws.rss - bare.rss)} MB above a bare Node after import`,
    },
    {
      row: 'install',
      value: here.bytes / there.bytes,
      unit,
      note: `${mega(here.bytes)} MB in ${here.packages} packages against ${mega(there.bytes)} MB in ${there.packages}`,
    },
    {
      row: 'import',
      value: ours.milliseconds,
      unit: 'ms',
      note: `AWS's ${aws.milliseconds.toFixed(0)}`,
    },
  ]
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number
