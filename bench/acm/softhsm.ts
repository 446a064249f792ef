import { tokenUri } from '@enclavejs/acm-enclave/token'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Pkcs11 } from './nginx.ts'
import { MODULE, PIN } from './ours.ts'
import type { Stand } from './stand.ts'

const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so'
const SERVER = '/usr/libexec/p11-kit/p11-kit-server'

/** What this machine lacks for SoftHSM behind p11-kit's server. */
export function absentSoftHsm(): string | undefined {
  const file = [SOFTHSM, SERVER, MODULE].find((one) => !existsSync(one))
  if (file !== undefined) return `no ${file}`
  const { error } = spawnSync('softhsm2-util', ['--version'])
  return error === undefined ? undefined : 'softhsm2-util is not installed'
}

/** The key of the stand in SoftHSM, and p11-kit's own server before it. */
export async function startSoftHsm(stand: Stand): Promise<Pkcs11> {
  const socket = stand.path('softhsm.sock')
  const configuration = `directories.tokendir = ${stand.folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`
  const env = { SOFTHSM2_CONF: stand.write('softhsm.conf', configuration) }
  stand.run('mkdir', [stand.path('tokens')])
  const pins = ['--so-pin', PIN, '--pin', PIN]
  stand.run('softhsm2-util', ['--init-token', '--free', '--label', 'softhsm', ...pins], env)
  const to = ['--token', 'softhsm', '--label', 'acm-key', '--id', '01', '--pin', PIN]
  stand.run('softhsm2-util', ['--import', stand.path('key.pem'), ...to], env)
  const served = ['--provider', SOFTHSM, 'pkcs11:']
  stand.start(SERVER, ['-f', '-n', `unix:path=${socket}`, ...served], env)
  await stand.untilFile('softhsm.sock')
  const name = { id: Uint8Array.of(1), object: 'acm-key', pin: PIN }
  return { socket, module: MODULE, uri: tokenUri({ label: 'softhsm', ...name }) }
}
