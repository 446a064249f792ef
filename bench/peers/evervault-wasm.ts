import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expectedPcrs, load, type Peer } from './peer.ts'

interface Bindings {
  initSync(input: { readonly module: Uint8Array }): unknown
  readonly PCRs: new (pcr0?: string, pcr1?: string, pcr2?: string) => object
  validateAttestationDocPcrs(document: string, pcrs: readonly object[]): boolean
}

export async function createPeer(document: Uint8Array): Promise<Peer> {
  const name = '@evervault/wasm-attestation-bindings'
  const bindings = await load<Bindings>(name)
  const entry = import.meta.resolve(name)
  bindings.initSync({ module: readFileSync(fileURLToPath(new URL('index_bg.wasm', entry))) })
  const pcrs = expectedPcrs(document)
  return async (bytes) =>
    bindings.validateAttestationDocPcrs(Buffer.from(bytes).toString('base64'), [
      new bindings.PCRs(pcrs.get(0), pcrs.get(1), pcrs.get(2)),
    ])
}
