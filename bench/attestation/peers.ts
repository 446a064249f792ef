import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runChild } from '../child.ts'
import type { PeerCost } from '../peers/peer.ts'
import type { Row } from '../row.ts'
import { GENUINE_DATE, genuineFile } from './sample.ts'

interface Peer {
  readonly row: string
  /** The module of `bench/peers` that calls it. */
  readonly module: string
  /** The package it needs, where it needs one. */
  readonly needs?: string
  readonly note: string
}

const PEERS: readonly Peer[] = [
  {
    row: 'enclavejs',
    module: 'enclavejs.ts',
    note: 'the row cold again, measured as its peers below',
  },
  {
    row: 'by-hand',
    module: 'by-hand.ts',
    needs: 'cbor-x',
    note: 'cbor-x and node:crypto: X509Certificate and verify, as most write it',
  },
  {
    row: 'by-hand-x509',
    module: 'by-hand-x509.ts',
    needs: '@peculiar/x509',
    note: 'cbor-x and @peculiar/x509 over WebCrypto',
  },
  {
    row: 'evervault',
    module: 'evervault.ts',
    needs: '@evervault/attestation-bindings',
    note: '@evervault/attestation-bindings 1.0.0, Rust',
  },
  {
    row: 'evervault-wasm',
    module: 'evervault-wasm.ts',
    needs: '@evervault/wasm-attestation-bindings',
    note: '@evervault/wasm-attestation-bindings 0.3.1',
  },
  {
    row: '0xsequence',
    module: '0xsequence.ts',
    needs: '@0xsequence/tee-verifier',
    note: '@0xsequence/tee-verifier 0.1.2',
  },
]

/** Not callable with a document alone. */
const LEFT_OUT: readonly Row[] = [
  {
    row: 'turnkey',
    value: undefined,
    unit: 'verifications',
    note: "not measured: @turnkey/crypto takes only its own service's pair of proofs",
  },
  {
    row: 'opensecret',
    value: undefined,
    unit: 'verifications',
    note: 'not measured: @opensecret/react verifies only inside its React context',
  },
]

const folder = new URL('../peers/', import.meta.url)

/**
 * What other verifiers take for the genuine document. They compare its certificates with the system's clock, so each
 * runs in a process of its own whose clock faketime sets back, and counts in units of that process.
 */
export async function measurePeers(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const peer of PEERS) rows.push(await measurePeer(peer))
  return [...rows, ...LEFT_OUT]
}

async function measurePeer({ row, module, needs, note }: Peer): Promise<Row> {
  const unit = 'verifications'
  const file = genuineFile()
  const skipped = (why: string): Row => ({
    row,
    value: undefined,
    unit,
    note: `not measured: ${why}`,
  })
  if (file === undefined) return skipped('needs a genuine document (ENCLAVEJS_VECTORS)')
  if (needs !== undefined && !existsSync(new URL(`node_modules/${needs}`, folder))) {
    return skipped('not installed (npm ci in bench/peers)')
  }
  if (!existsSync('/usr/bin/faketime')) return skipped('needs faketime (apt-get install faketime)')
  const clock = GENUINE_DATE.toISOString().slice(0, 19).replace('T', ' ')
  try {
    const cost = (await runChild(
      new URL('measure.ts', folder),
      [fileURLToPath(new URL(module, folder)), file],
      {
        through: ['/usr/bin/faketime', '-m', '-f', `@${clock}`],
        env: { TZ: 'UTC', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
        deadline: 60,
      },
    )) as PeerCost
    return { row, value: cost.cpu, unit, note: `CPU; ${note}` }
  } catch (error) {
    return skipped((error as Error).message)
  }
}
