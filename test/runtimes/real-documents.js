// Documents that AWS signed, in every runtime: each is accepted in its time with its own PCRs, refused one second after
// its certificate ended, and refused with one bit flipped. What the parent's NitroTPM signed is refused as that.

/**
 * @param {typeof import('@enclavejs/attestation')} library
 * @param {readonly { name: string, document: string, timestamp: number, notAfter: number, debug: boolean,
 *   enclave: boolean, pcrs: Record<string, string> }[]} documents
 * @param {(line: string) => void} log is told each failure.
 */
export async function checkRealDocuments(library, documents, log) {
  const report = { passed: 0, failures: [] }
  const check = async (name, expected, bytes, options) => {
    let seen = 'accepted'
    try {
      const { timestamp } = await library.verifyAttestation(bytes, options)
      if (timestamp.getTime() !== options.currentDate.getTime() - 1000) seen = 'another timestamp'
    } catch (error) {
      seen =
        error instanceof library.AttestationError
          ? error.code
          : `${String(error)}, which has no code,`
    }
    if (expected.test(seen)) report.passed++
    else {
      const failure = `${name}: ${expected} expected, ${seen} seen`
      report.failures.push(failure)
      log?.(failure)
    }
  }
  for (const [index, one] of documents.entries()) {
    const bytes = Uint8Array.from(atob(one.document), (character) => character.charCodeAt(0))
    const options = {
      referenceValues: { pcrs: one.pcrs },
      maxAge: 4 * 3600,
      allowDebugMode: one.debug,
      currentDate: new Date(one.timestamp + 1000),
    }
    if (!one.enclave) {
      await check(one.name, /^ERR_ATTESTATION_NITROTPM$/, bytes, options)
      continue
    }
    await check(one.name, /^accepted$/, bytes, options)
    const expired = { ...options, currentDate: new Date(one.notAfter + 1000) }
    await check(`${one.name} expired`, /^ERR_ATTESTATION_CERTIFICATE_EXPIRED$/, bytes, expired)
    // Another place in each document: over all of them, from the first byte to the last.
    const at = Math.floor((index * (bytes.length - 1)) / Math.max(1, documents.length - 1))
    bytes[at] ^= 1 << (index % 8)
    await check(`${one.name}, bit ${index % 8} of byte ${at}`, /^ERR_ATTESTATION_/, bytes, options)
  }
  return report
}
