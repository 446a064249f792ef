import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const KINDS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
}

/** A certificate for a name and the CA that issued it, made by OpenSSL. PEM. */
export function makeCertificate(
  name: string,
  kind: 'ec' | 'rsa',
): { readonly ca: string; readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-certificate-'))
  const file = (one: string): string => join(folder, one)
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
  }
  try {
    openssl(
      ...['req', '-x509', ...KINDS[kind], '-nodes', '-subj', '/CN=Test CA', '-days', '2'],
      ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
    )
    openssl(
      ...['req', '-x509', ...KINDS[kind], '-nodes', '-subj', `/CN=${name}`, '-days', '2'],
      ...['-CA', file('ca.pem'), '-CAkey', file('ca.key')],
      ...['-addext', `subjectAltName=DNS:${name}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-keyout', file('key.pem'), '-out', file('cert.pem')],
    )
    const read = (one: string): string => readFileSync(file(one), 'utf8')
    return { ca: read('ca.pem'), key: read('key.pem'), cert: read('cert.pem') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
