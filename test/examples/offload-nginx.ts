import { spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type Workplace } from '../../packages/acm-enclave/test/token/program.ts'
import { untilListening } from '../../packages/acm-enclave/test/token/web-server.ts'
import { repository } from '../temporary-tree.ts'

/** Where p11-kit looks for modules when its packages are all that is installed. */
const MODULES = '/usr/share/p11-kit/modules'
const EXAMPLE = join(repository, 'examples/nginx-offload')

/** Others than root are root in a namespace of their own, which has no other users. */
const isRoot = process.getuid?.() === 0
const UNSHARE = ['unshare', '--mount', ...(isRoot ? [] : ['--map-root-user'])]

/** Why this cannot run: a module file is to be put in the place of the system's. */
export function unable(): string | undefined {
  const [unshare, ...args] = UNSHARE
  const tried = spawnSync(unshare as string, [...args, 'mount', '--bind', '/tmp', MODULES])
  return tried.status === 0 ? undefined : 'needs unshare(1), namespaces, and p11-kit-modules'
}

/**
 * NGINX with the example's nginx.conf, in a mount namespace of its own in which p11-kit has the module file of the agent and no
 * other. Nothing else tells OpenSSL's engine of the token.
 */
export class OffloadNginx {
  readonly port: number
  readonly process: ChildProcess
  log = ''

  private constructor(port: number, process: ChildProcess) {
    this.port = port
    this.process = process
    process.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
  }

  /** `files` has stanza.conf, and modules/ with the agent's module file alone: p11-kit reads whatever is there. */
  static async start(workplace: Workplace, files: string): Promise<OffloadNginx> {
    const port = await freePort()
    workplace.openToOthers()
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const paths = temporary.map((name) => `${name}_temp_path ${workplace.path(name)};`).join(' ')
    const configuration = readFileSync(join(EXAMPLE, 'nginx.conf'), 'utf8')
      .replace('user www-data;', isRoot ? 'user www-data;' : 'user root;')
      .replace('pid /run/nginx.pid;', `pid ${workplace.path('nginx.pid')};\nerror_log stderr warn;`)
      .replace('http {', `http {\naccess_log off; ssl_session_tickets off;\n${paths}`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`)
      .replace('/run/enclavejs', files)
    const file = workplace.write('example.conf', configuration)
    const command = ['/usr/sbin/nginx', '-p', workplace.folder, '-c', file]
    const script = `mount --bind ${files}/modules ${MODULES} && exec "$@"`
    const bare = ['-u', 'OPENSSL_CONF', '-u', 'P11_KIT_SERVER_ADDRESS', ...UNSHARE]
    const inside = [...bare, 'sh', '-c', script, 'sh', ...command]
    const checked = await workplace.run('env', [...inside, '-t'])
    if (checked.status !== 0) throw new Error(`nginx -t: ${checked.stderr}`)
    const child = workplace.start('env', [...inside, '-g', 'daemon off;'])
    const nginx = new OffloadNginx(port, child)
    await untilListening(port, () => nginx.log)
    return nginx
  }
}

/** A folder in which sockets belong to the web server's group: the agent makes its own there. */
export function socketFolder(workplace: Workplace): string {
  const folder = workplace.path('run')
  mkdirSync(folder)
  if (isRoot && spawnSync('chgrp', ['www-data', folder]).status !== 0) {
    throw new Error('no group www-data')
  }
  chmodSync(folder, 0o2750)
  mkdirSync(join(folder, 'modules'))
  return folder
}
