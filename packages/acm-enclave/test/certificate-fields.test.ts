import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { issueCertificate } from '../../simulator/src/certificate.ts'
import { basicConstraints, type Extension } from '../../simulator/src/extension.ts'
import { readCertificateFields } from '../src/certificate-fields.ts'
import { readCertificationPath } from '../src/certification-path.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NOTE: Extension = { oid: '1.2.3.4', critical: false, value: Uint8Array.of(5, 0) }
const NOTE_IN_DER = '06032a0304'

const CA = basicConstraints({ ca: true, pathLenConstraint: 0 })
const TWICE = Uint8Array.from([...CA.value, ...CA.value])
const THREE = Uint8Array.from(Buffer.from('30090101ff020100020100', 'hex'))

function issue(extensions: readonly Extension[]): Uint8Array {
  return issueCertificate({
    serialNumber: Uint8Array.of(1),
    ...{ issuer: [['CN', 'a']], subject: [['CN', 'a']], extensions },
    notBefore: new Date('2030-01-01T00:00:00Z'),
    notAfter: new Date('2031-01-01T00:00:00Z'),
    publicKey: createPublicKey(privateKey),
    ...{ signingKey: privateKey, signatureHash: 'sha256' },
  })
}

const whole = issue([basicConstraints({ ca: true, pathLenConstraint: 3 }), NOTE])

/** The certificate with some octets replaced by as many others. */
function changed(from: string, to: string): Uint8Array {
  const copy = Buffer.from(whole)
  const at = copy.indexOf(from, 'hex')
  expect([at >= 0, from.length]).toEqual([true, to.length])
  copy.write(to, at, 'hex')
  return new Uint8Array(copy)
}

describe('the fields of a certificate', () => {
  it('are those that OpenSSL sees', () => {
    const fields = readCertificateFields(whole)
    expect(new X509Certificate(whole).ca).toBe(true)
    expect(fields).toMatchObject({ isCa: true, pathLenConstraint: 3 })
    expect(Buffer.from(fields?.subject ?? []).toString('hex')).toMatch(/^310a300806035504030c0161$/)
    expect([...(fields?.extensions ?? [])].map(([id, { critical }]) => [id, critical])).toEqual([
      ['551d13', true],
      ['2a0304', false],
    ])
  })

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['what is cut off', whole.subarray(0, 100)],
    ['a length without end', whole.with(1, 0x80)],
    [
      'a length in more octets than it needs',
      Uint8Array.of(0x30, 0x84, 0, 0, ...whole.subarray(2)),
    ],
    ['a tag of several octets', changed(`3009${NOTE_IN_DER}`, `3f09${NOTE_IN_DER}`)],
    ['an extension that is none', changed(`3009${NOTE_IN_DER}`, `3109${NOTE_IN_DER}`)],
    ['an extension without its name', changed(NOTE_IN_DER, '02032a0304')],
    ['a flag that is none', changed('0603551d130101ff', '0603551d130201ff')],
    ['an extension twice', issue([NOTE, NOTE])],
    ['basicConstraints with something behind them', issue([{ ...CA, value: TWICE }])],
    ['basicConstraints with a third member', issue([{ ...CA, value: THREE }])],
  ])('are not read from %s', (_name, bytes) => {
    expect(readCertificateFields(bytes)).toBeUndefined()
  })

  it('are what a path is refused for, where OpenSSL would not', () => {
    const twice = new X509Certificate(issue([NOTE, NOTE])).toString()
    const bundle = { certificate: twice, certificateChain: '' }
    const expected = { hostNames: ['a'], currentDate: new Date('2030-06-01T00:00:00Z') }
    expect(() => readCertificationPath(bundle, expected)).toThrow(
      expect.objectContaining({ code: 'ERR_ACM_CERTIFICATE' }),
    )
  })
})
