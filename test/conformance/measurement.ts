import { toHex } from './bytes.ts'
import { expectSame, type Checks } from './report.ts'
import type { Subject } from './subject.ts'

/** PCR3, PCR4 and PCR8, whose values were computed with another implementation of SHA-384. */
export async function checkMeasurements({ library }: Subject, checks: Checks): Promise<void> {
  await checks.check('PCR3 of a role', async () => {
    const pcr = await library.computeRolePcr('arn:aws:iam::123456789012:role/webserver')
    expectSame(
      toHex(pcr),
      'c5f0e7ec4fa181a5336f921fa422ff6427ec9dc8ce578839ec838be094c8d7adb67ae661c70c5d0ba55bd3a6163dc9b8',
      'PCR3',
    )
  })
  await checks.check('PCR4 of an instance', async () => {
    const pcr = await library.computeInstancePcr('i-0123456789abcdef0')
    expectSame(
      toHex(pcr),
      'd6432900ac1c343cb40286898792c55e962aef0cc35c4910c0c286145b51af19e782cb21cc31a042671d7dfbd398251c',
      'PCR4',
    )
  })
  const expected =
    '546756e5378301533ea5633e4b3197db07321778872e8ef0734574e771d7284678de0215f0d3a59ada5057048793e0b2'
  const bytes = new TextEncoder().encode('a certificate')
  await checks.check('PCR8 of a certificate', async () => {
    expectSame(toHex(await library.computeSigningCertificatePcr(bytes)), expected, 'PCR8')
  })
  await checks.check('PCR8 of a certificate in PEM', async () => {
    const body = btoa('a certificate')
    const pem = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
    expectSame(toHex(await library.computeSigningCertificatePcr(pem)), expected, 'PCR8')
  })
}
