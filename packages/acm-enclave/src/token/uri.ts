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

/** NGINX's two lines for a key in a token, as ACM for Nitro Enclaves writes them. */
export function nginxStanza(uri: string, certificate: string): string {
  return `ssl_certificate_key "engine:pkcs11:${uri}";\nssl_certificate "${certificate}";\n`
}

/** Apache's configuration with its `SSLCertificateKeyFile` and `SSLCertificateFile` replaced, line by line. */
export function apacheStanza(configuration: string, uri: string, certificate: string): string {
  return configuration
    .split('\n')
    .map((line) => {
      if (line.startsWith('SSLCertificateKeyFile')) return `SSLCertificateKeyFile "${uri}"`
      return line.startsWith('SSLCertificateFile') ? `SSLCertificateFile "${certificate}"` : line
    })
    .join('\n')
}
