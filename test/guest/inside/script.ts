// A script of requests for a device in its first moment, as bytes: what QEMU's device answers and what the simulator answers
// is compared by ../differences.ts. Everything is CBOR written by hand, so that no codec of ours stands between.

const text = (value: string): string => {
  const length = value.length
  const head =
    length < 24 ? (0x60 + length).toString(16) : `78${length.toString(16).padStart(2, '0')}`
  return head + Buffer.from(value).toString('hex')
}
const bytes = (length: number, fill = '5a'): string => {
  const hex = length.toString(16)
  const head =
    length < 24
      ? (0x40 + length).toString(16)
      : length < 256
        ? `58${hex.padStart(2, '0')}`
        : `59${hex.padStart(4, '0')}`
  return head + fill.repeat(length)
}
/** A map of fields that are already CBOR. */
const map = (...fields: readonly (readonly [string, string])[]): string =>
  (0xa0 + fields.length).toString(16) + fields.map(([name, value]) => text(name) + value).join('')
const command = (name: string, ...fields: readonly (readonly [string, string])[]): string =>
  map([name, map(...fields)])
const attestation = (userData: string, nonce: string, publicKey: string): string =>
  command('Attestation', ['user_data', userData], ['nonce', nonce], ['public_key', publicKey])

const NULL = 'f6'

/** Name and request. The names are those of the table of differences. */
export const script: readonly (readonly [name: string, hex: string])[] = [
  // What it says of itself, and reading.
  ['DescribeNSM', text('DescribeNSM')],
  ['DescribeNSM as a map of null', map(['DescribeNSM', NULL])],
  ['DescribeNSM as a map of nothing', map(['DescribeNSM', 'a0'])],
  ['DescribePCR 0', command('DescribePCR', ['index', '00'])],
  ['DescribePCR 31', command('DescribePCR', ['index', '181f'])],
  ['DescribePCR 32', command('DescribePCR', ['index', '1820'])],
  ['DescribePCR 255', command('DescribePCR', ['index', '18ff'])],
  ['DescribePCR 256', command('DescribePCR', ['index', '190100'])],
  ['DescribePCR 65536', command('DescribePCR', ['index', '1a00010000'])],
  ['DescribePCR -1', command('DescribePCR', ['index', '20'])],
  ['DescribePCR 1.0', command('DescribePCR', ['index', 'f93c00'])],
  ['DescribePCR "1"', command('DescribePCR', ['index', text('1')])],
  ['DescribePCR 5 in two bytes', command('DescribePCR', ['index', '1805'])],
  ['DescribePCR 5 in three bytes', command('DescribePCR', ['index', '190005'])],
  ['DescribePCR without index', command('DescribePCR')],
  ['DescribePCR with a field too many', command('DescribePCR', ['index', '05'], ['other', '00'])],
  ['DescribePCR with index twice', command('DescribePCR', ['index', '05'], ['index', '06'])],
  [
    'DescribePCR with fields of indefinite length',
    `a1${text('DescribePCR')}bf${text('index')}05ff`,
  ],
  ['DescribePCR of indefinite length', `bf${text('DescribePCR')}a1${text('index')}05ff`],
  ['DescribePCR as text', text('DescribePCR')],
  ['GetRandom', text('GetRandom')],
  ['GetRandom as a map of null', map(['GetRandom', NULL])],

  // Extending.
  ['ExtendPCR 0', command('ExtendPCR', ['index', '00'], ['data', bytes(3)])],
  ['ExtendPCR 0 again', command('ExtendPCR', ['index', '00'], ['data', bytes(48)])],
  ['ExtendPCR 1', command('ExtendPCR', ['index', '01'], ['data', bytes(48, '01')])],
  ['ExtendPCR 2', command('ExtendPCR', ['index', '02'], ['data', bytes(48, '02')])],
  ['ExtendPCR 3 with nothing', command('ExtendPCR', ['index', '03'], ['data', '40'])],
  [
    'ExtendPCR 3 with the most that fits',
    command('ExtendPCR', ['index', '03'], ['data', bytes(4069)]),
  ],
  [
    'ExtendPCR 31 with the most that fits',
    command('ExtendPCR', ['index', '181f'], ['data', bytes(4068)]),
  ],
  ['ExtendPCR 32', command('ExtendPCR', ['index', '1820'], ['data', bytes(3)])],
  ['ExtendPCR 4, data first', command('ExtendPCR', ['data', bytes(3)], ['index', '04'])],
  ['ExtendPCR with text', command('ExtendPCR', ['index', '1818'], ['data', text('abc')])],
  ['ExtendPCR with a list', command('ExtendPCR', ['index', '1819'], ['data', '83010203'])],
  ['ExtendPCR with chunks', command('ExtendPCR', ['index', '181a'], ['data', '5f41014102ff'])],
  ['ExtendPCR with null', command('ExtendPCR', ['index', '181b'], ['data', NULL])],
  ['ExtendPCR without data', command('ExtendPCR', ['index', '181b'])],
  ['ExtendPCR without index', command('ExtendPCR', ['data', bytes(3)])],
  ['DescribePCR 27 after that', command('DescribePCR', ['index', '181b'])],

  // Locking.
  ['LockPCR 20', command('LockPCR', ['index', '14'])],
  ['LockPCR 20 again', command('LockPCR', ['index', '14'])],
  ['LockPCR 32', command('LockPCR', ['index', '1820'])],
  ['LockPCR 256', command('LockPCR', ['index', '190100'])],
  ['LockPCR without index', command('LockPCR')],
  ['DescribePCR 20 locked', command('DescribePCR', ['index', '14'])],
  ['ExtendPCR 20 locked', command('ExtendPCR', ['index', '14'], ['data', bytes(3)])],
  ['LockPCRs 0', command('LockPCRs', ['range', '00'])],
  ['LockPCRs 33', command('LockPCRs', ['range', '1821'])],
  ['LockPCRs 256', command('LockPCRs', ['range', '190100'])],
  ['LockPCRs -1', command('LockPCRs', ['range', '20'])],
  ['LockPCRs without range', command('LockPCRs')],
  ['DescribeNSM with one PCR locked', text('DescribeNSM')],
  ['LockPCRs 16', command('LockPCRs', ['range', '10'])],
  ['LockPCRs 16 again', command('LockPCRs', ['range', '10'])],
  ['LockPCR 0 locked', command('LockPCR', ['index', '00'])],
  ['ExtendPCR 0 locked', command('ExtendPCR', ['index', '00'], ['data', bytes(3)])],

  // Documents.
  ['Attestation', attestation(NULL, NULL, NULL)],
  ['Attestation of empty strings', attestation('40', '40', '40')],
  [
    'Attestation of 1024 each',
    attestation(bytes(1024, '01'), bytes(1024, '02'), bytes(1024, '03')),
  ],
  ['Attestation of a nonce of 1025', attestation(NULL, bytes(1025), NULL)],
  ['Attestation of the most that fits', attestation(NULL, NULL, bytes(4050))],
  ['Attestation without fields', command('Attestation')],
  ['Attestation as text', text('Attestation')],
  ['Attestation of null', map(['Attestation', NULL])],
  ['Attestation of a nonce alone', command('Attestation', ['nonce', bytes(16)])],
  ['Attestation of text', attestation(text('abc'), NULL, NULL)],
  ['Attestation of a number', attestation('05', NULL, NULL)],
  [
    'Attestation with a field too many',
    command('Attestation', ['nonce', bytes(16)], ['other', '00']),
  ],
  [
    'Attestation with a nonce twice',
    command('Attestation', ['nonce', bytes(16)], ['nonce', bytes(17)]),
  ],

  // What is no request.
  ['an unknown command', text('DescribeEverything')],
  ['an unknown command with fields', command('UnlockPCR', ['index', '05'])],
  ['lower case', text('describensm')],
  ['a byte after the request', `${text('GetRandom')}00`],
  ['a second request after it', text('GetRandom') + text('GetRandom')],
  ['a request cut short', text('GetRandom').slice(0, -2)],
  ['a map cut short', command('DescribePCR', ['index', '00']).slice(0, -2)],
  ['an empty map', 'a0'],
  ['two commands in a map', map(['GetRandom', NULL], ['DescribeNSM', NULL])],
  ['a list', `81${text('GetRandom')}`],
  ['bytes', bytes(9)],
  ['a number', '00'],
  ['null', NULL],
  ['a break', 'ff'],
  ['a reserved byte', '1c'],
  ['a tagged request', `c0${text('GetRandom')}`],
  ['a length beyond the request', '7b7fffffffffffffff'],
  ['deep nesting', `${'81'.repeat(4095)}00`],
  ['4096 bytes of nothing', '00'.repeat(4096)],

  // The end.
  ['LockPCRs 32', command('LockPCRs', ['range', '1820'])],
  ['DescribeNSM with all locked', text('DescribeNSM')],
  ['ExtendPCR 31 locked', command('ExtendPCR', ['index', '181f'], ['data', bytes(3)])],
]
