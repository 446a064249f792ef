import { tokenUri } from '@enclavejs/acm-enclave/token'
import type { Pkcs11 } from './nginx.ts'
import type { Stand } from './stand.ts'

export const PIN = '123456'
const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
/** p11-kit's client as a PKCS #11 module. */
export const MODULE: string = `${LIBRARY}/pkcs11/p11-kit-client.so`

/** The key of the stand in a token, and `enclavejs acm agent` before it: both processes of their own, over Unix sockets. */
export async function startOurs(stand: Stand): Promise<Pkcs11> {
  const [enclave, socket] = [stand.path('enclave.sock'), stand.path('agent.sock')]
  const [key, certificate] = [stand.path('key.pem'), stand.path('certificate.pem')]
  stand.node(new URL('./token.ts', import.meta.url), enclave, key, certificate, PIN)
  await stand.untilFile('enclave.sock')
  const bin = new URL('../../packages/cli/src/bin.ts', import.meta.url)
  const pin = ['--pin-file', stand.write('pin', PIN)]
  stand.node(bin, 'acm', 'agent', '--enclave-unix', enclave, '--socket', socket, ...pin)
  await stand.untilFile('agent.sock')
  const name = { id: Uint8Array.of(1), object: 'acm-key', pin: PIN }
  return { socket, module: MODULE, uri: tokenUri({ label: 'acm-token', ...name }) }
}
