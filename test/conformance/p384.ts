import type { SubtleKey } from '@enclavejs/attestation'
import { fromHex, toHex } from './bytes.ts'
import { expectSame, thrown, type Checks } from './report.ts'
import { subtleOf, type Subject } from './subject.ts'

const ECDSA = { name: 'ECDSA', namedCurve: 'P-384' }
const SIGN = { name: 'ECDSA', hash: 'SHA-384' }
const ORDER = BigInt(
  '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
)
/** RFC 6979 §A.2.6: the key, the message "sample" and its signature with SHA-384. */
const KEY =
  '3076301006072a8648ce3d020106052b8104002203620004' +
  'ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13' +
  '8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720'
const R =
  '94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46'
const S =
  '99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8'

/** What the verifier takes for granted of a crypto provider. */
export async function checkProvider(subject: Subject, checks: Checks): Promise<void> {
  const subtle = subtleOf(subject)
  const message = new TextEncoder().encode('sample')
  const load = (spki: string): Promise<SubtleKey> =>
    subtle.importKey('spki', owned(fromHex(spki)), ECDSA, false, ['verify'])
  /** Whether a signature verifies; a provider may also throw for one that is none. */
  const verifies = async (signature: string, spki = KEY): Promise<boolean> => {
    let good: unknown = false
    await thrown(async () => {
      const key = await load(spki)
      good = await subtle.verify(SIGN, key, owned(fromHex(signature)), message)
    })
    return good === true
  }
  const negated = (ORDER - BigInt(`0x${S}`)).toString(16).padStart(96, '0')
  const zero = '00'.repeat(48)
  const order = ORDER.toString(16)
  const one = `${'00'.repeat(47)}01`
  const der = `3066023100${R}023100${S}`
  const rows: readonly (readonly [name: string, signature: string, good: boolean])[] = [
    ['r‖s of RFC 6979', R + S, true],
    ['the other s, n − s', R + negated, true],
    ['r and s swapped', S + R, false],
    ['95 bytes', (R + S).slice(0, -2), false],
    ['97 bytes', `${R}${S}00`, false],
    ['97 bytes, a zero first', `00${R}${S}`, false],
    ['no bytes', '', false],
    ['an Ecdsa-Sig-Value', der, false],
    ['zeros', zero + zero, false],
    ['r of zero', zero + S, false],
    ['s of zero', R + zero, false],
    ['r of the order', order + S, false],
    ['s of the order', R + order, false],
    ['one and one', one + one, false],
    ['0xff throughout', 'ff'.repeat(96), false],
    ['r of r + 1', R.slice(0, -2) + '47' + S, false],
  ]
  for (const [name, signature, good] of rows) {
    await checks.check(`P-384: ${name}`, async () => {
      expectSame(await verifies(signature), good, 'verifies')
    })
  }
  await checks.check('P-384: another message', async () => {
    const other = new TextEncoder().encode('Sample')
    expectSame(
      await subtle.verify(SIGN, await load(KEY), owned(fromHex(R + S)), other),
      false,
      'verifies',
    )
  })
  await checks.check('P-384: another hash', async () => {
    const sha256 = { name: 'ECDSA', hash: 'SHA-256' }
    expectSame(
      await subtle.verify(sha256, await load(KEY), owned(fromHex(R + S)), message),
      false,
      'verifies',
    )
  })
  const keys: readonly (readonly [name: string, spki: string])[] = [
    ['a point that is not on the curve', `${KEY.slice(0, -2)}21`],
    ['the point (0, 0)', `${KEY.slice(0, 48)}${'00'.repeat(96)}`],
    ['a key that is cut short', KEY.slice(0, -2)],
    ['a P-256 key', KEY.replace('06052b81040022', '06052b81040023')],
  ]
  for (const [name, spki] of keys) {
    await checks.check(`P-384: ${name} is no key`, async () => {
      expectSame(await verifies(R + S, spki), false, 'verifies')
    })
  }
  await checks.check('SHA-256 and SHA-384 of "abc" (FIPS 180-4)', async () => {
    const abc = new TextEncoder().encode('abc')
    const digest = async (name: string): Promise<string> =>
      toHex(new Uint8Array(await subtle.digest(name, abc)))
    expectSame(
      await digest('SHA-256'),
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      'SHA-256',
    )
    expectSame(
      (await digest('SHA-384')).slice(0, 32),
      'cb00753f45a35e8bb5a03d699ac65007',
      'SHA-384',
    )
  })
}

function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
