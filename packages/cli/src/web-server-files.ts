import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { ShownKey } from '@enclavejs/acm-enclave/token'
import { loadTokenPackage } from './acm-token-package.ts'
import type { Arguments } from './arguments.ts'
import { CliError, usage } from './error.ts'

/** A token as clients of the parent find it. */
export interface TokenPlace {
  readonly label: string
  readonly pin: string
  /** The socket. */
  readonly path: string
}

export const WEB_SERVER_FLAGS: readonly string[] = [
  ...['module-file', 'certificate', 'provider-key', 'nginx-stanza', 'apache-conf'],
]

export const WEB_SERVER_HELP = `Files, written before the first client and when the key changes:
  --module-file FILE    p11-kit's module file, /etc/pkcs11/modules/NAME.module
  --certificate FILE    the certificate and its issuers
  --nginx-stanza FILE   ssl_certificate_key and ssl_certificate, mode 0440
  --apache-conf FILE    a configuration whose SSLCertificateKeyFile and SSLCertificateFile are replaced
  --provider-key FILE   the key as OpenSSL's provider (pkcs11-provider) reads it, mode 0440; the other two then name this file
                        and not the engine. All three need --certificate`

/** What a web server reads to find its key in a token. All of a file is there or nothing: it may be read at any time. */
export class WebServerFiles {
  readonly #given: Arguments
  readonly #place: TokenPlace

  constructor(given: Arguments, place: TokenPlace) {
    const needs = ['provider-key', 'nginx-stanza', 'apache-conf']
    if (needs.some((flag) => given.value(flag) !== undefined)) {
      if (given.value('certificate') === undefined) throw usage('--certificate is missing')
    }
    this.#given = given
    this.#place = place
  }

  /** p11-kit's module file; its name is the module's. */
  async writeModule(): Promise<void> {
    const { moduleFile } = await loadTokenPackage()
    const file = this.#given.value('module-file')
    if (file === undefined) return
    replace(file, moduleFile(this.#place.path, basename(file, '.module')), 0o644)
  }

  /** @returns whether a certificate was there, and another one */
  async write(key: ShownKey): Promise<boolean> {
    const { apacheStanza, nginxStanza, providerKeyFile, tokenUri } = await loadTokenPackage()
    const certificate = this.#given.value('certificate')
    if (certificate === undefined) return false
    const { label, pin } = this.#place
    const uri = tokenUri({
      ...{ model: 'acm-token', manufacturer: 'enclavejs', label },
      ...{ id: key.id, object: key.label, pin },
    })
    const was = existsSync(certificate) ? readFileSync(certificate, 'utf8') : undefined
    replace(certificate, key.certificate, 0o644)
    const provider = this.#given.value('provider-key')
    if (provider !== undefined) replace(provider, providerKeyFile(uri), 0o440)
    const named = provider ?? uri
    const nginx = this.#given.value('nginx-stanza')
    if (nginx !== undefined) replace(nginx, nginxStanza(named, certificate), 0o440)
    const apache = this.#given.value('apache-conf')
    if (apache !== undefined) {
      const before = readConfiguration(apache)
      replace(apache, apacheStanza(before, named, certificate), 0o440)
    }
    return was !== undefined && was !== key.certificate
  }
}

/** @throws {CliError} `ERR_CLI_FILE` for one in which nothing would be replaced */
function readConfiguration(file: string): string {
  const text = read(file)
  for (const name of ['SSLCertificateKeyFile', 'SSLCertificateFile']) {
    if (text.split('\n').some((line) => line.startsWith(name))) continue
    const message = `--apache-conf: ${file}: a line that begins with ${name} expected, none found`
    throw new CliError('ERR_CLI_FILE', message)
  }
  return text
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}

function replace(file: string, text: string, mode: number): void {
  try {
    const next = `${file}.${process.pid}.new`
    writeFileSync(next, text, { mode })
    renameSync(next, file)
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
