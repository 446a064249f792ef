import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A certificate and its key, PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of this test, made by the openssl command. */
export class TlsAuthority {
  readonly folder: string
  readonly root: string

  private constructor(folder: string) {
    this.folder = folder
    this.root = readFileSync(join(folder, 'root.pem'), 'utf8')
  }

  static async create(): Promise<TlsAuthority> {
    const folder = mkdtempSync(join(tmpdir(), 'kms-tls-'))
    await run(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-keyout', 'root.key', '-out', 'root.pem', '-days', '30', '-subj', '/CN=Test root'],
        ...['-addext', 'basicConstraints=critical,CA:TRUE'],
        ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ],
      { cwd: folder },
    )
    return new TlsAuthority(folder)
  }

  /** A server's certificate. */
  async issue({
    names,
    subject = '/CN=server',
    days = 30,
  }: {
    names: readonly string[]
    subject?: string
    days?: number
  }): Promise<Identity> {
    const name = `leaf-${Math.random().toString(36).slice(2)}`
    const at = { cwd: this.folder }
    writeFileSync(
      join(this.folder, `${name}.ext`),
      `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n${
        names.length === 0 ? '' : `subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}\n`
      }`,
    )
    await run(
      'openssl',
      [
        ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject],
      ],
      at,
    )
    await run(
      'openssl',
      [
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'root.pem', '-CAkey', 'root.key'],
        ...['-CAcreateserial', '-out', `${name}.pem`, '-days', String(days)],
        ...['-extfile', `${name}.ext`],
      ],
      at,
    )
    return {
      certificate: readFileSync(join(this.folder, `${name}.pem`), 'utf8'),
      key: readFileSync(join(this.folder, `${name}.key`), 'utf8'),
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
