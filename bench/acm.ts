// A certificate's key in the enclave, in both ways: Node serves TLS with it (serving.ts), and NGINX on the parent signs with it
// through the PKCS #11 token (handshakes.ts), whose door is measured alone as well (signatures.ts).
import { spawnSync } from 'node:child_process'
import { handshakes } from './acm/handshakes.ts'
import { serving } from './acm/serving.ts'
import { signatures } from './acm/signatures.ts'
import type { Kind } from './acm/stand.ts'
import type { Row } from './row.ts'

const KINDS: readonly Kind[] = ['ec', 'rsa']
const MEASURES = {
  node: serving,
  handshakes,
  signatures: async (kind: Kind): Promise<readonly Row[]> => [await signatures(kind)],
} as const

export async function bench(): Promise<readonly Row[]> {
  if (spawnSync('openssl', ['version']).error !== undefined) {
    const note = 'not measured: openssl is not installed'
    return Object.keys(MEASURES).flatMap((name) =>
      KINDS.map((kind) => ({ row: `${name}-${kind}`, value: undefined, unit: '', note })),
    )
  }
  const rows: Row[] = []
  for (const measure of Object.values(MEASURES)) {
    for (const kind of KINDS) rows.push(...(await measure(kind)))
  }
  return rows
}
