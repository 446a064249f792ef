import { element, SEQUENCE } from '../der.ts'
import { writePem } from '../pem.ts'

/** What a PKCS #11 URI (RFC 7512) says of a private key in a token. */
export interface TokenUriParts {
  readonly label: string
  readonly model?: string | undefined
  readonly manufacturer?: string | undefined
  /** `CKA_ID` of the key. */
  readonly id: Uint8Array
  /** `CKA_LABEL` of the key. */
  readonly object: string
  readonly pin?: string | undefined
}

const VISIBLE_STRING = 0x1a
const UTF8_STRING = 0x0c

/** RFC 7512 §2.3: what needs no percent in a path's values. */
const PLAIN = /[A-Za-z0-9\-._~]/

function percent(bytes: Uint8Array, all: boolean): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    if (!all && PLAIN.test(character)) return character
    return `%${byte.toString(16).padStart(2, '0')}`
  }).join('')
}

const text = (value: string): string => percent(new TextEncoder().encode(value), false)

/**
 * The URI of a private key, in the order that ACM for Nitro Enclaves has: `pkcs11:model=…;manufacturer=…;token=…;id=…;
 * object=…;type=private?pin-value=…`.
 */
export function tokenUri(parts: TokenUriParts): string {
  const path = [
    ...(parts.model === undefined ? [] : [`model=${text(parts.model)}`]),
    ...(parts.manufacturer === undefined ? [] : [`manufacturer=${text(parts.manufacturer)}`]),
    `token=${text(parts.label)}`,
    `id=${percent(parts.id, true)}`,
    `object=${text(parts.object)}`,
    'type=private',
  ]
  const query = parts.pin === undefined ? '' : `?pin-value=${text(parts.pin)}`
  return `pkcs11:${path.join(';')}${query}`
}

/** A p11-kit module file: `/etc/pkcs11/modules/NAME.module`. */
export function moduleFile(socket: string, name: string): string {
  if (!socket.startsWith('/')) throw new RangeError('socket is an absolute path')
  const path = socket.split('/').map(text).join('/')
  return `remote:unix:path=${path}\nmodule:${name}\n`
}

/**
 * A key file for OpenSSL's provider (pkcs11-provider): PEM with the URI in it. Whatever reads a key from a file finds the one in
 * the token by it, where OpenSSL's configuration loads the provider; engines are gone in OpenSSL 4. As secret as the URI's PIN.
 */
export function providerKeyFile(uri: string): string {
  const text = new TextEncoder()
  const version = element(VISIBLE_STRING, text.encode('PKCS#11 Provider URI v1.0'))
  const own = element(UTF8_STRING, text.encode(uri))
  const der = element(SEQUENCE, version, own)
  return new TextDecoder().decode(writePem('PKCS#11 PROVIDER URI', der))
}

/**
 * NGINX's two lines for a key in a token, as ACM for Nitro Enclaves writes them.
 *
 * @param key the URI, which OpenSSL's engine reads; or the path of a {@link providerKeyFile}
 */
export function nginxStanza(key: string, certificate: string): string {
  const own = key.startsWith('pkcs11:') ? `engine:pkcs11:${key}` : key
  return `ssl_certificate_key "${own}";\nssl_certificate "${certificate}";\n`
}

/**
 * Apache's configuration with its `SSLCertificateKeyFile` and `SSLCertificateFile` replaced, where lines begin with them.
 *
 * @param key as for {@link nginxStanza}
 */
export function apacheStanza(configuration: string, key: string, certificate: string): string {
  return configuration
    .split('\n')
    .map((line) => {
      if (line.startsWith('SSLCertificateKeyFile')) return `SSLCertificateKeyFile "${key}"`
      return line.startsWith('SSLCertificateFile') ? `SSLCertificateFile "${certificate}"` : line
    })
    .join('\n')
}
