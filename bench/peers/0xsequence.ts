import { expectedPcrs, load, type Peer } from './peer.ts'

interface TeeVerifier {
  createAttestationVerifyingFetch(options: {
    readonly expectedPCRs: ReadonlyMap<number, string>
    readonly fetch: typeof fetch
  }): typeof fetch
  readonly SignedAttestation: {
    fromDocument(document: string): {
      readonly pcrs: ReadonlyMap<number, string>
      verifyRootOfTrust(): Promise<boolean>
      rootCertFingerprint(): Promise<string>
      verifySignature(): Promise<boolean>
    }
  }
}

const ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'

/** The steps of its `createAttestationVerifyingFetch`, which asks for a nonce that no stored document answers. */
export async function createPeer(document: Uint8Array): Promise<Peer> {
  // It expects a browser.
  Object.assign(globalThis, { window: globalThis })
  const { SignedAttestation } = await load<TeeVerifier>('@0xsequence/tee-verifier')
  const pcrs = [...expectedPcrs(document)].slice(0, 3)
  return async (bytes) => {
    const attestation = SignedAttestation.fromDocument(Buffer.from(bytes).toString('base64'))
    return (
      pcrs.every(([index, value]) => attestation.pcrs.get(index) === value) &&
      (await attestation.verifyRootOfTrust()) &&
      (await attestation.rootCertFingerprint()) === ROOT &&
      (await attestation.verifySignature())
    )
  }
}
