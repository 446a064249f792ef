import { freePort, type Stand } from './stand.ts'

/** A p11-kit client for NGINX's engine: where its server listens, and which key is meant. */
export interface Pkcs11 {
  /** A Unix socket. */
  readonly socket: string
  readonly uri: string
  /** p11-kit's client as a PKCS #11 module. */
  readonly module: string
}

/** One worker with the certificate of the stand, and its key in a file or in a token. Returns its port. */
export async function startNginx(stand: Stand, name: string, token?: Pkcs11): Promise<number> {
  const port = await freePort()
  const { folder } = stand
  const key = token === undefined ? stand.path('key.pem') : `engine:pkcs11:${token.uri}`
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`)
    .join(' ')
  const configuration = stand.write(
    `nginx-${name}.conf`,
    `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log stderr crit;
${token === undefined ? '' : 'ssl_engine pkcs11; env P11_KIT_SERVER_ADDRESS;'}
events { worker_connections 2048; }
http { access_log off; ${paths}
server { listen 127.0.0.1:${port} ssl; ssl_certificate ${stand.path('certificate.pem')};
ssl_certificate_key "${key}"; ssl_session_cache off; ssl_session_tickets off;
location / { return 200 hello; } } }`,
  )
  const env = token === undefined ? {} : engineEnvironment(stand, name, token)
  stand.start('nginx', ['-p', folder, '-c', configuration, '-e', 'stderr'], env)
  await stand.untilListening(port)
  return port
}

function engineEnvironment(stand: Stand, name: string, token: Pkcs11): Record<string, string> {
  const configuration = stand.write(
    `${name}-openssl.cnf`,
    `openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
MODULE_PATH = ${token.module}
init = 1
`,
  )
  return {
    P11_KIT_SERVER_ADDRESS: `unix:path=${token.socket}`,
    OPENSSL_CONF: configuration,
  }
}
