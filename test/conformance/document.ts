import { fromHex, toHex } from './bytes.ts'
import { expectSame, thrown, type Checks } from './report.ts'
import {
  caseNamed,
  dateOf,
  documentOf,
  expectedOf,
  policyOf,
  provider,
  type Subject,
} from './subject.ts'

/** What comes out of a document, and how its bytes are taken. */
export async function checkDocument(subject: Subject, checks: Checks): Promise<void> {
  const { library } = subject
  const good = caseNamed(subject, 'expected/all')
  const document = documentOf(good)
  const options = {
    ...policyOf(subject, good),
    ...expectedOf(good),
    ...provider(subject),
    currentDate: dateOf(good),
  }

  await checks.check('document: the result is what was signed', async () => {
    const result = await library.verifyAttestation(document, options)
    const decoded = library.decodeAttestationDocument(document)
    expectSame(/^i-[0-9a-f]{17}-enc[0-9a-f]{16}$/.test(result.moduleId), true, 'moduleId')
    expectSame(result.moduleId, decoded.moduleId, 'moduleId')
    expectSame(result.digest, 'SHA384', 'digest')
    expectSame(result.timestamp.toISOString(), good.currentDate, 'timestamp')
    expectSame(
      [...result.pcrs.keys()].join(),
      Array.from({ length: 16 }, (_, index) => index).join(),
      'pcrs',
    )
    expectSame(toHex(result.pcrs.get(4) as Uint8Array), '05'.repeat(48), 'PCR4')
    expectSame(toHex(result.nonce as Uint8Array), good.policy.nonce, 'nonce')
    expectSame(toHex(result.publicKey as Uint8Array), good.policy.publicKey, 'publicKey')
    expectSame(toHex(result.userData as Uint8Array), good.policy.userData, 'userData')
    expectSame(result.cabundle.length, 4, 'cabundle')
    expectSame(result.trustAnchor.partition, undefined, 'partition')
    expectSame(result.trustAnchor.subject, 'CN=simulator.enclavejs,OU=SIM,O=NotAWS,C=US', 'subject')
    expectSame(/^[0-9a-f]{64}$/.test(result.trustAnchor.sha256), true, 'sha256')
    expectSame(result.debugMode, false, 'debugMode')
    expectSame(result.referenceLabel, undefined, 'referenceLabel')
    expectSame(result.notAfter > dateOf(good), true, 'notAfter')
  })
  await checks.check('document: null, absent and empty are told apart', async () => {
    const fields = (name: string) =>
      library.decodeAttestationDocument(documentOf(caseNamed(subject, name)))
    expectSame(fields('field/optional-null').userData, null, 'null')
    expectSame(fields('field/optional-absent').userData, null, 'absent')
    expectSame(fields('field/optional-empty').userData?.length, 0, 'empty')
  })
  await checks.check('document: the label of the set that matched', async () => {
    const second = caseNamed(subject, 'pcr/second-set')
    const result = await library.verifyAttestation(documentOf(second), {
      ...policyOf(subject, second),
      ...expectedOf(second),
      ...provider(subject),
      currentDate: dateOf(second),
    })
    expectSame(result.referenceLabel, 'new', 'referenceLabel')
  })
  await checks.check('document: debug mode is said', async () => {
    const debug = caseNamed(subject, 'debug/allowed')
    const result = await library.verifyAttestation(documentOf(debug), {
      ...policyOf(subject, debug),
      ...expectedOf(debug),
      ...provider(subject),
      currentDate: dateOf(debug),
    })
    expectSame(result.debugMode, true, 'debugMode')
  })
  await checks.check('document: at its own time', async () => {
    const { currentDate: _, ...rest } = options
    const result = await library.verifyArchivedAttestation(document, { ...rest, at: 'document' })
    expectSame(result.appraisedAt.getTime(), result.archived.timestamp.getTime(), 'appraisedAt')
  })
  await checks.check('document: a view into a larger buffer', async () => {
    const larger = new Uint8Array(document.length + 64).fill(0xff)
    larger.set(document, 32)
    const view = larger.subarray(32, 32 + document.length)
    const result = await library.verifyAttestation(view, options)
    expectSame(result.certificate.buffer === larger.buffer, false, 'the result is its own')
  })
  await checks.check('document: what changes during the call changes nothing', async () => {
    const bytes = document.slice()
    const nonce = fromHex(good.policy.nonce as string)
    const pending = library.verifyAttestation(bytes, { ...options, nonce })
    bytes.fill(0)
    nonce.fill(0)
    const result = await pending
    expectSame(toHex(result.nonce as Uint8Array), good.policy.nonce, 'nonce')
  })
  await checks.check('document: a flip of each byte is refused by an error of ours', async () => {
    for (let index = 0; index < document.length; index += 17) {
      const flipped = document.slice()
      flipped[index] = (flipped[index] as number) ^ 1
      const error = await thrown(() => library.verifyAttestation(flipped, options))
      expectSame(error instanceof library.AttestationError, true, `byte ${index}`)
    }
  })
  await checks.check('document: cut anywhere it is refused by an error of ours', async () => {
    for (let length = 0; length < document.length; length += 13) {
      const error = await thrown(() =>
        library.verifyAttestation(document.slice(0, length), options),
      )
      expectSame(error instanceof library.AttestationError, true, `${length} bytes`)
    }
  })
  await checks.check('document: a certificate says what it is', () => {
    const { cabundle, certificate } = library.decodeAttestationDocument(document)
    const [root, regional] = cabundle.map((der) => library.decodeCertificate(der))
    const leaf = library.decodeCertificate(certificate)
    expectSame(root?.subject, 'CN=simulator.enclavejs,OU=SIM,O=NotAWS,C=US', 'subject')
    expectSame(root?.ca, true, 'root: ca')
    expectSame(root?.pathLenConstraint, undefined, 'root: pathLenConstraint')
    expectSame(regional?.issuer, root?.subject, 'regional: issuer')
    expectSame(regional?.pathLenConstraint, 2, 'regional: pathLenConstraint')
    expectSame(leaf.ca, false, 'leaf: ca')
    expectSame(leaf.keyUsage.join(), 'digitalSignature,nonRepudiation', 'leaf: keyUsage')
    expectSame(leaf.notAfter.getTime() - leaf.notBefore.getTime(), 10_803_000, 'leaf: validity')
  })
  await checks.check('document: a path under the other partition is refused by name', async () => {
    const { trustAnchors: _, ...rest } = options
    for (const partition of ['aws', 'aws-us-gov'] as const) {
      const error = await thrown(() => library.verifyAttestation(document, { ...rest, partition }))
      expectSame((error as { code?: string }).code, 'ERR_ATTESTATION_TRUST_ANCHOR', partition)
    }
  })
}
