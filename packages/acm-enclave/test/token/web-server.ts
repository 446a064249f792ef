import { chmodSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { ChildProcess } from 'node:child_process'
import { freePort, type Workplace } from './program.ts'

/** A key as a web server finds it. */
export interface ServedKey {
  readonly uri: string
  /** What `ssl_certificate_key` says; the engine by default, for which the configuration has to name it. */
  readonly nginxKey?: string
  /** The same for Apache: a file with the URI in it, for OpenSSL's provider. */
  readonly apacheKey?: string
  /** A file: the certificate and those of its issuers. */
  readonly certificate: string
}

/** NGINX on a free port of this machine, with its key in a token. */
export class Nginx {
  readonly port: number
  readonly #workplace: Workplace
  readonly #process: ChildProcess
  log = ''

  private constructor(workplace: Workplace, port: number, process: ChildProcess) {
    this.#workplace = workplace
    this.port = port
    this.#process = process
    process.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
  }

  static async start(workplace: Workplace, key: ServedKey, workers = 1): Promise<Nginx> {
    const port = await freePort()
    configure(workplace, port, key, workers)
    const args = ['-p', workplace.folder, '-c', workplace.path('nginx.conf'), '-g', 'daemon off;']
    const nginx = new Nginx(workplace, port, workplace.start('/usr/sbin/nginx', args))
    await untilListening(port, () => nginx.log)
    return nginx
  }

  /** SIGHUP: new workers with what the configuration says now. */
  reload(key: ServedKey, workers = 1): void {
    configure(this.#workplace, this.port, key, workers)
    this.#process.kill('SIGHUP')
  }
}

/** Apache on a free port of this machine, with its key in a token. */
export class Apache {
  readonly port: number
  readonly #workplace: Workplace
  readonly #process: ChildProcess

  private constructor(workplace: Workplace, port: number, process: ChildProcess) {
    this.#workplace = workplace
    this.port = port
    this.#process = process
  }

  static async start(workplace: Workplace, key: ServedKey): Promise<Apache> {
    const port = await freePort()
    // Its children run as another user.
    workplace.openToOthers()
    chmodSync(workplace.socket, 0o777)
    const args = ['-f', configureApache(workplace, port, key), '-DFOREGROUND']
    const apache = new Apache(workplace, port, workplace.start('/usr/sbin/apache2', args))
    await untilListening(port, () => apache.log)
    return apache
  }

  get log(): string {
    return readFileSync(this.#workplace.path('apache.log'), 'utf8')
  }

  /** SIGUSR1, as `apachectl graceful`: new children with what the configuration says now. */
  reload(key: ServedKey): void {
    configureApache(this.#workplace, this.port, key)
    this.#process.kill('SIGUSR1')
  }
}

/** An Apache configuration whose lines begin as ACM for Nitro Enclaves wants them. */
export function configureApache(workplace: Workplace, port: number, key: ServedKey): string {
  const { folder } = workplace
  const modules = ['mpm_event', 'authz_core', 'socache_shmcb', 'ssl']
  const moduleFolder = workplace.fileOf('/usr/lib/apache2/modules')
  return workplace.write(
    'apache.conf',
    `ServerRoot ${folder}
ServerName localhost
PidFile ${folder}/apache.pid
ErrorLog ${folder}/apache.log
Mutex file:${folder} default
${modules.map((name) => `LoadModule ${name}_module ${moduleFolder}/mod_${name}.so`).join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
StartServers 1
ServerLimit 4
ThreadLimit 300
ThreadsPerChild 300
MaxRequestWorkers 1200
Listen 127.0.0.1:${port}
${key.apacheKey === undefined ? 'SSLCryptoDevice pkcs11' : ''}
<VirtualHost *:${port}>
SSLEngine on
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionTickets off
SSLCertificateKeyFile "${key.apacheKey ?? key.uri}"
SSLCertificateFile "${key.certificate}"
DocumentRoot ${workplace.path('www')}
</VirtualHost>
`,
  )
}

function configure(workplace: Workplace, port: number, key: ServedKey, workers: number): void {
  const { folder } = workplace
  workplace.write(
    'nginx.conf',
    `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes ${workers};
error_log stderr warn;
pid ${folder}/nginx.pid;
${key.nginxKey === undefined ? 'ssl_engine pkcs11;' : ''}
env P11_KIT_SERVER_ADDRESS;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate_key "${key.nginxKey ?? `engine:pkcs11:${key.uri}`}";
    ssl_certificate ${key.certificate};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
    location / { return 200 "served by the token\\n"; }
  }
}
`,
  )
}

/** Resolves when something listens. */
export async function untilListening(port: number, log: () => string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}: ${log()}`)
}

/** One handshake with a web server of this machine. */
export function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...options })
    const late = (): void => void socket.destroy(new Error('no handshake in 20 seconds'))
    const timer = setTimeout(late, 20_000)
    socket.once('close', () => clearTimeout(timer))
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}
