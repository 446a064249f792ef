import { execFile } from 'node:child_process'

/** What a web server looks like to clients that are not ours. */
export class Clients {
  readonly #hostName: string
  readonly #port: number
  readonly #ca: string

  /** @param ca - a file with the root that they trust */
  constructor(hostName: string, port: number, ca: string) {
    this.#hostName = hostName
    this.#port = port
    this.#ca = ca
  }

  /** What curl prints, and its exit status where it failed; without the root on demand. */
  curl(more: readonly string[] = [], trusting = true): Promise<string> {
    const where = `${this.#hostName}:${this.#port}`
    return run('curl', [
      ...['--silent', '--show-error', '--noproxy', '*', ...more],
      ...(trusting ? ['--cacert', this.#ca] : []),
      ...['--resolve', `${where}:127.0.0.1`, `https://${where}/`],
    ])
  }

  /** What `openssl s_client` prints. */
  openssl(...more: readonly string[]): Promise<string> {
    return run('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${this.#port}`, '-servername', this.#hostName],
      ...['-CAfile', this.#ca, '-verify_return_error', '-verify_hostname', this.#hostName, ...more],
    ])
  }

  /** The serial number of the certificate that is served, hexadecimal. */
  async serialNumber(): Promise<string | undefined> {
    const [pem] = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/.exec(
      await this.openssl(),
    ) ?? ['']
    const said = await run('openssl', ['x509', '-noout', '-serial'], pem)
    return /^serial=(\w+)$/m.exec(said)?.[1]
  }
}

/** Both outputs of a program, and its exit status where that is not 0. */
export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 40_000 }, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error === null ? '' : `failed: ${String(error.code)}`}`)
    })
    child.stdin?.on('error', () => undefined).end(input)
  })
}
