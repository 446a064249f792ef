import { X509Certificate } from 'node:crypto'
import { CliError } from './error.ts'
import { readFlagFile } from './input-file.ts'

const PEM = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g

/**
 * Reads root certificates: one in DER, or any number in PEM with nothing but comments around them.
 *
 * @throws {CliError} `ERR_CLI_FILE`.
 */
export async function readTrustAnchors(path: string): Promise<readonly Uint8Array[]> {
  const bytes = await readFlagFile(path, 'trust-anchor')
  const text = Buffer.from(bytes).toString('latin1')
  if (!text.includes('-----BEGIN')) return [checked(bytes, path)]
  const others = text.replace(PEM, '').includes('-----')
  const bodies = [...text.matchAll(PEM)].map(([, body = '']) => body.replace(/\s/g, ''))
  if (others || bodies.length === 0) {
    throw refused(path, 'it holds something else than whole PEM blocks of CERTIFICATE')
  }
  return bodies.map((body) => {
    const der = Buffer.from(body, 'base64')
    if (der.toString('base64') !== body) throw refused(path, 'its base64 is damaged')
    return checked(Uint8Array.from(der), path)
  })
}

/** The verifier reads it strictly later; here the file is told apart from one that is no certificate at all. */
function checked(der: Uint8Array, path: string): Uint8Array {
  try {
    if (new X509Certificate(der).raw.equals(der)) return der
  } catch (cause) {
    throw refused(path, 'no certificate in PEM or DER', cause)
  }
  throw refused(path, 'bytes after the certificate')
}

function refused(path: string, why: string, cause?: unknown): CliError {
  const message = `--trust-anchor: ${path}: ${why}`
  return new CliError('ERR_CLI_FILE', message, cause === undefined ? undefined : { cause })
}
