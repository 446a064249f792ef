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

type Options = Readonly<Record<string, unknown>>
type Row = readonly [
  what: string,
  error: 'TypeError' | 'RangeError',
  named: string,
  change: Options,
]

const PCR = '11'.repeat(48)
const IMAGE = { pcrs: { 0: PCR, 1: PCR, 2: PCR } }
const ZERO = '00'.repeat(48)

/** The caller's own mistakes: a TypeError or RangeError that names the option, at each door, whatever the document is. */
const MISTAKES: readonly Row[] = [
  ['no reference values', 'TypeError', 'referenceValues', { referenceValues: undefined }],
  ['an empty list', 'TypeError', 'referenceValues', { referenceValues: [] }],
  ['an empty set', 'TypeError', 'PCR', { referenceValues: { pcrs: {} } }],
  ['PCR0 alone', 'TypeError', 'PCR', { referenceValues: { pcrs: { 0: PCR } } }],
  ['PCR0 and PCR1 alone', 'TypeError', 'PCR', { referenceValues: { pcrs: { 0: PCR, 1: PCR } } }],
  ['PCR3 and PCR4 alone', 'TypeError', 'PCR', { referenceValues: { pcrs: { 3: PCR, 4: PCR } } }],
  ['a set that is none', 'TypeError', 'referenceValues', { referenceValues: 'any' }],
  ['a set that is null', 'TypeError', 'referenceValues', { referenceValues: null }],
  ['a set without pcrs', 'TypeError', 'referenceValues', { referenceValues: { 0: PCR } }],
  ['a set with an unknown key', 'TypeError', 'unknown', { referenceValues: { ...IMAGE, pcr: {} } }],
  [
    'a zero value',
    'TypeError',
    'zero',
    { referenceValues: { pcrs: { 0: ZERO, 1: ZERO, 2: ZERO } } },
  ],
  [
    'one zero value',
    'TypeError',
    'zero',
    { referenceValues: { pcrs: { ...IMAGE.pcrs, 8: ZERO } } },
  ],
  [
    'a short value',
    'TypeError',
    '48',
    { referenceValues: { pcrs: { ...IMAGE.pcrs, 8: '11'.repeat(47) } } },
  ],
  [
    'a value with a space',
    'TypeError',
    '48',
    { referenceValues: { pcrs: { 8: ` ${'11'.repeat(47)}1` } } },
  ],
  [
    'a value that is no hex',
    'TypeError',
    '48',
    { referenceValues: { pcrs: { 8: 'zz'.repeat(48) } } },
  ],
  ['a value that is a number', 'TypeError', 'pcrs[8]', { referenceValues: { pcrs: { 8: 11 } } }],
  [
    'bytes that are too short',
    'TypeError',
    '48',
    { referenceValues: { pcrs: { 8: new Uint8Array(32).fill(1) } } },
  ],
  ['an index of 32', 'RangeError', '31', { referenceValues: { pcrs: { ...IMAGE.pcrs, 32: PCR } } }],
  [
    'an index of -1',
    'TypeError',
    'index',
    { referenceValues: { pcrs: { ...IMAGE.pcrs, '-1': PCR } } },
  ],
  [
    'an index of 00',
    'TypeError',
    'index',
    { referenceValues: { pcrs: { ...IMAGE.pcrs, '00': PCR } } },
  ],
  [
    'an index twice',
    'TypeError',
    'twice',
    { referenceValues: { pcrs: { ...IMAGE.pcrs, PCR0: PCR } } },
  ],
  ['two sets without labels', 'TypeError', 'label', { referenceValues: [IMAGE, IMAGE] }],
  [
    'two sets with one label',
    'TypeError',
    'label',
    {
      referenceValues: [
        { ...IMAGE, label: 'a' },
        { ...IMAGE, label: 'a' },
      ],
    },
  ],
  ['an empty label', 'TypeError', 'label', { referenceValues: { ...IMAGE, label: '' } }],
  ['any image and reference values', 'TypeError', 'acceptAnyImage', { acceptAnyImage: true }],
  [
    'any image in words',
    'TypeError',
    'acceptAnyImage',
    { acceptAnyImage: 'yes', referenceValues: undefined },
  ],
  [
    'any image false',
    'TypeError',
    'referenceValues',
    { acceptAnyImage: false, referenceValues: undefined },
  ],
  ['debug mode in words', 'TypeError', 'allowDebugMode', { allowDebugMode: 'true' }],
  ['debug mode as a number', 'TypeError', 'allowDebugMode', { allowDebugMode: 1 }],
  ['a maximum age of zero', 'RangeError', 'maxAge', { maxAge: 0 }],
  ['a negative maximum age', 'RangeError', 'maxAge', { maxAge: -1 }],
  ['an infinite maximum age', 'RangeError', 'maxAge', { maxAge: Infinity }],
  ['a maximum age of NaN', 'RangeError', 'maxAge', { maxAge: Number.NaN }],
  ['a maximum age in words', 'TypeError', 'maxAge', { maxAge: '60' }],
  ['a tolerance of 301 s', 'RangeError', 'clockTolerance', { clockTolerance: 301 }],
  ['a negative tolerance', 'RangeError', 'clockTolerance', { clockTolerance: -1 }],
  ['a tolerance of NaN', 'RangeError', 'clockTolerance', { clockTolerance: Number.NaN }],
  ['a tolerance in words', 'TypeError', 'clockTolerance', { clockTolerance: '10' }],
  [
    'a partition that is not built in',
    'TypeError',
    'partition',
    { partition: 'aws-cn', trustAnchors: undefined },
  ],
  [
    'a partition by a name of Object',
    'TypeError',
    'partition',
    { partition: 'constructor', trustAnchors: undefined },
  ],
  ['partition and trustAnchors', 'TypeError', 'partition', { partition: 'aws' }],
  ['no trust anchors', 'TypeError', 'trustAnchors', { trustAnchors: [] }],
  [
    'trust anchors that are no list',
    'TypeError',
    'trustAnchors',
    { trustAnchors: new Uint8Array(3) },
  ],
  [
    'a trust anchor that is no certificate',
    'TypeError',
    'trustAnchors[0]',
    { trustAnchors: [new Uint8Array(3)] },
  ],
  [
    'a trust anchor in PEM',
    'TypeError',
    'trustAnchors[0]',
    { trustAnchors: ['-----BEGIN CERTIFICATE-----'] },
  ],
  ['an option that does not exist', 'TypeError', 'maxage', { maxage: 60 }],
  ['an option of another library', 'TypeError', 'pcrs', { pcrs: {} }],
]

const EXPECTED_MISTAKES: readonly Row[] = [
  ['neither nonce nor maximum age', 'TypeError', 'nonce or maxAge', { nonce: undefined }],
  ['an empty nonce', 'TypeError', 'nonce', { nonce: new Uint8Array() }],
  ['a nonce in hex', 'TypeError', 'nonce', { nonce: '0707' }],
  ['a nonce that is an array', 'TypeError', 'nonce', { nonce: [7, 7] }],
  ['a nonce that is an ArrayBuffer', 'TypeError', 'nonce', { nonce: new ArrayBuffer(32) }],
  ['a nonce of null', 'TypeError', 'nonce', { nonce: null }],
  ['a public key in PEM', 'TypeError', 'publicKey', { publicKey: '-----BEGIN PUBLIC KEY-----' }],
  ['user data in words', 'TypeError', 'userData', { userData: 'words' }],
]

export async function checkOptions(subject: Subject, checks: Checks): Promise<void> {
  const { library } = subject
  const good = caseNamed(subject, 'message/untagged')
  const document = documentOf(good)
  const policy = { ...policyOf(subject, good), ...provider(subject) }
  const expected = expectedOf(good)
  const options = { ...policy, ...expected, currentDate: dateOf(good) }
  const mistaken = (
    name: string,
    error: string,
    named: string,
    call: () => unknown,
  ): Promise<void> =>
    checks.check(`options: ${name}`, async () => {
      const seen = await thrown(call)
      expectSame((seen as Error | undefined)?.name, error, 'error')
      const { message } = seen as Error
      expectSame(message.includes(named), true, `a message that names ${named} (${message})`)
    })
  for (const [what, error, named, change] of [...MISTAKES, ...EXPECTED_MISTAKES]) {
    await mistaken(`verifyAttestation, ${what}`, error, named, () =>
      library.verifyAttestation(document, { ...options, ...change } as typeof options),
    )
  }
  for (const [what, error, named, change] of MISTAKES) {
    await mistaken(`createVerifier, ${what}`, error, named, () => {
      library.createVerifier({ ...policy, ...change } as typeof policy)
    })
    const { currentDate: _, ...rest } = { ...options, ...change } as typeof options
    await mistaken(`verifyArchivedAttestation, ${what}`, error, named, () =>
      library.verifyArchivedAttestation(document, { ...rest, at: dateOf(good) }),
    )
  }
  const verifier = library.createVerifier({ ...policy, now: () => dateOf(good) })
  for (const [what, error, named, change] of EXPECTED_MISTAKES) {
    await mistaken(`verify, ${what}`, error, named, () =>
      verifier.verify(document, { ...expected, ...change } as typeof expected),
    )
  }
  const single: readonly (readonly [string, 'TypeError' | 'RangeError', string, () => unknown])[] =
    [
      [
        'no options',
        'TypeError',
        'options',
        () => library.verifyAttestation(document, undefined as never),
      ],
      [
        'a date in words',
        'TypeError',
        'currentDate',
        () =>
          library.verifyAttestation(document, { ...options, currentDate: '2026-03-01' as never }),
      ],
      [
        'an invalid date',
        'TypeError',
        'currentDate',
        () =>
          library.verifyAttestation(document, { ...options, currentDate: new Date(Number.NaN) }),
      ],
      [
        'a document in base64',
        'TypeError',
        'bytes',
        () => library.verifyAttestation(good.document as never, options),
      ],
      [
        'a document that is an ArrayBuffer',
        'TypeError',
        'bytes',
        () => library.verifyAttestation(document.buffer as never, options),
      ],
      [
        'no document',
        'TypeError',
        'bytes',
        () => library.verifyAttestation(undefined as never, options),
      ],
      [
        'decode no document',
        'TypeError',
        'bytes',
        () => library.decodeAttestationDocument(null as never),
      ],
      [
        'decode no certificate',
        'TypeError',
        'der',
        () => library.decodeCertificate('der' as never),
      ],
      [
        'currentDate at the verifier',
        'TypeError',
        'currentDate',
        () => library.createVerifier({ ...policy, currentDate: dateOf(good) } as never),
      ],
      [
        'a nonce at the verifier',
        'TypeError',
        'nonce',
        () => library.createVerifier({ ...policy, ...expected } as never),
      ],
      [
        'an unknown expectation',
        'TypeError',
        'user_data',
        () => verifier.verify(document, { ...expected, user_data: new Uint8Array() } as never),
      ],
      [
        'no cache',
        'RangeError',
        'cacheSize',
        () => library.createVerifier({ ...policy, cacheSize: 0 }),
      ],
      [
        'half a cache',
        'RangeError',
        'cacheSize',
        () => library.createVerifier({ ...policy, cacheSize: 0.5 }),
      ],
      [
        'a huge cache',
        'RangeError',
        'cacheSize',
        () => library.createVerifier({ ...policy, cacheSize: 100_001 }),
      ],
      [
        'a clock that is none',
        'TypeError',
        'now',
        () => library.createVerifier({ ...policy, now: new Date() as never }),
      ],
      [
        'a clock without a date',
        'TypeError',
        'now()',
        () =>
          library.createVerifier({ ...policy, now: () => 0 as never }).verify(document, expected),
      ],
      [
        'archived without a time',
        'TypeError',
        'at',
        () => library.verifyArchivedAttestation(document, { ...policy, at: undefined as never }),
      ],
      [
        'archived at a time in words',
        'TypeError',
        'at',
        () => library.verifyArchivedAttestation(document, { ...policy, at: 'now' as never }),
      ],
      ['a role in words', 'TypeError', 'roleArn', () => library.computeRolePcr('webserver')],
      [
        'an instance profile',
        'TypeError',
        'roleArn',
        () => library.computeRolePcr('arn:aws:iam::123456789012:instance-profile/webserver'),
      ],
      [
        'an instance id with a line break',
        'TypeError',
        'instanceId',
        () => library.computeInstancePcr('i-0123456789abcdef0\n'),
      ],
      [
        'a PEM of nothing',
        'TypeError',
        'certificate',
        () => library.computeSigningCertificatePcr(''),
      ],
    ]
  for (const row of single) await mistaken(...row)
}
