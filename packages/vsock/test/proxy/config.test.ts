import { describe, expect, it } from 'vitest'
import {
  checkProxyOptions,
  parseAllowlist,
  parseProxyConfig,
  startProxy,
} from '@enclavejs/vsock/proxy'

const REFUSED = { code: 'ERR_VSOCK_PROXY_CONFIG' }

/** The message of the refusal. */
function refusal(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    expect(error).toMatchObject(REFUSED)
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('parseAllowlist', () => {
  it("reads AWS's form", () => {
    const text = [
      'allowlist:',
      '- {address: kms.us-east-2.amazonaws.com, port: 443}',
      '# a comment',
      '- address: 10.0.0.7',
      '  port: 8443',
      '- {address: "fd00::1", port: 443}',
    ].join('\n')
    expect(parseAllowlist(text)).toEqual([
      { address: 'kms.us-east-2.amazonaws.com', port: 443 },
      { address: '10.0.0.7', port: 8443 },
      { address: 'fd00::1', port: 443 },
    ])
    expect(parseAllowlist('allowlist: []')).toEqual([])
  })

  const valid = 'allowlist:\n- {address: kms.us-east-2.amazonaws.com, port: 443}\n'
  it.each([
    ['nothing', () => ''],
    ['another key', (text: string) => text.replace('allowlist', 'whitelist')],
    ['a key beside it', (text: string) => `${text}denylist: []\n`],
    ['a key twice', (text: string) => text + text],
    ['a list in its place', (text: string) => text.replace('allowlist:\n', '')],
    ['a map in its place', () => 'allowlist: {}'],
    ['null', () => 'allowlist:'],
    ['two documents', (text: string) => `${text}---\n${text}`],
    ['a broken line', (text: string) => text.replace('}', '')],
    ['a key in an entry', (text: string) => text.replace('443', '443, tls: true')],
    ['a key of an entry twice', (text: string) => text.replace('443', '443, port: 80')],
    ['no port', (text: string) => text.replace(', port: 443', '')],
    ['port 0', (text: string) => text.replace('443', '0')],
    ['port 65536', (text: string) => text.replace('443', '65536')],
    ['a port in quotes', (text: string) => text.replace('443', '"443"')],
    ['half a port', (text: string) => text.replace('443', '443.5')],
    ['no address', (text: string) => text.replace(/address: \S+ /, '')],
    ['a number for an address', (text: string) => text.replace(/kms\S+,/, '1.5,')],
    ['an empty address', (text: string) => text.replace(/kms\S+,/, '"",')],
    [
      'a wildcard',
      (text: string) => text.replace('kms', '"*"').replace('"*".', '"*.').replace('com,', 'com",'),
    ],
    ['an address with a port', (text: string) => text.replace(/kms\S+,/, '"10.0.0.1:80",')],
    ['a network', (text: string) => text.replace(/kms\S+,/, '10.0.0.0/8,')],
    ['half an address', (text: string) => text.replace(/kms\S+,/, '127.1,')],
    ['an address in hex', (text: string) => text.replace(/kms\S+,/, '"0x7f000001",')],
    [
      'IPv4 in the clothes of IPv6',
      (text: string) => text.replace(/kms\S+,/, '"::ffff:10.0.0.1",'),
    ],
    ['an anchor', (text: string) => text.replace('- {', '- &a {') + '- *a\n'],
    ['a tag', (text: string) => text.replace('kms', '!host kms')],
    ['a tag that YAML knows', (text: string) => text.replace('443', '!!float 443')],
    ['a megabyte', (text: string) => text + '#'.repeat(1 << 20)],
  ])('refuses %s', (_what, change) => {
    const changed = change(valid)
    expect(changed).not.toBe(valid)
    refusal(() => parseAllowlist(changed))
  })
})

const VALID = `
outbound:
  - name: kms
    listen: { port: 8000, allowedCids: [16] }
    to: { host: kms.eu-west-1.amazonaws.com, port: 443, allowPrivateAddresses: true, family: 4 }
    maxConnections: 10
    connectTimeout: 2000
    idleTimeout: 60000
inbound:
  - listen: { port: 443, host: 0.0.0.0 }
    to: { cid: 16, port: 8443, toHost: true }
    proxyProtocol: true
connect:
  - listen: { port: 8001, anyCid: true }
    allow: [{ host: sts.amazonaws.com, port: 443 }, { host: 169.254.169.254, port: 80 }]
    headTimeout: 1000
allowlist: [{ address: kms.eu-west-1.amazonaws.com, port: 443 }]
metrics: { port: 9464, host: "::1" }
`

describe('parseProxyConfig', () => {
  it('reads all there is', () => {
    expect(parseProxyConfig(VALID)).toMatchObject({
      outbound: [
        {
          name: 'kms',
          listen: { port: 8000, allowedCids: [16] },
          to: { host: 'kms.eu-west-1.amazonaws.com', port: 443, allowPrivateAddresses: true },
          maxConnections: 10,
          connectTimeout: 2000,
          idleTimeout: 60_000,
        },
      ],
      inbound: [{ listen: { port: 443 }, to: { cid: 16, port: 8443 }, proxyProtocol: true }],
      connect: [{ listen: { port: 8001, anyCid: true }, headTimeout: 1000 }],
      allowlist: [{ address: 'kms.eu-west-1.amazonaws.com', port: 443 }],
      metrics: { port: 9464, host: '::1', unsafeAnyInterface: false },
    })
  })

  it('reads what it gave in the same way again', () => {
    const options = parseProxyConfig(VALID)
    expect(parseProxyConfig(JSON.stringify(options))).toEqual(options)
  })

  it('reads JSON too', () => {
    const options = { inbound: [{ listen: { port: 443 }, to: { path: '/run/vm.sock', port: 1 } }] }
    expect(parseProxyConfig(JSON.stringify(options))).toMatchObject({
      inbound: [
        { listen: { port: 443, host: '127.0.0.1' }, to: { path: '/run/vm.sock', port: 1 } },
      ],
    })
  })

  const change = (from: string | RegExp, to: string) => (text: string) => text.replace(from, to)
  it.each([
    ['nothing', () => ''],
    ['an unknown key', change('outbound', 'outbond'), /outbond/],
    ['an unknown key of an entry', change('idleTimeout', 'idle'), /outbound\[0\]\.idle:/],
    ['an unknown key of a listener', change('anyCid', 'anyCID'), /connect\[0\]\.listen\.anyCID/],
    ['an unknown key of a destination', change('family', 'af'), /outbound\[0\]\.to\.af/],
    [
      'an unknown key of an allowed host',
      change('.com, port: 443 },', '.com, port: 443, tls: true },'),
      /connect\[0\]\.allow\[0\]\.tls/,
    ],
    ['an unknown key of an enclave', change('toHost', 'toHosts'), /inbound\[0\]\.to\.toHosts/],
    [
      'an unknown key of the counters',
      change('port: 9464', 'port: 9464, path: /x'),
      /metrics\.path/,
    ],
    [
      'an unknown key of the allowlist',
      change('amazonaws.com, port: 443 }]', 'amazonaws.com, port: 443, family: 4 }]'),
      /allowlist\[0\]\.family/,
    ],
    ['a misspelt permission', change('allowPrivateAddresses', 'allowPrivate'), /allowPrivate:/],
    ['no CIDs', change(', allowedCids: [16]', ''), /allowedCids/],
    ['an empty list of CIDs', change('[16]', '[]'), /allowedCids/],
    [
      'an empty list of CIDs and anyCid',
      change('anyCid: true', 'anyCid: true, allowedCids: []'),
      /connect\[0\]\.listen\.allowedCids: at least one/,
    ],
    [
      'an empty list of CIDs and a path',
      change('anyCid: true', 'path: /a, allowedCids: []'),
      /connect\[0\]\.listen\.allowedCids: at least one/,
    ],
    ['toHost beside a path', change('cid: 16,', 'path: /a,'), /inbound\[0\]\.to\.toHost/],
    ['CIDs and anyCid', change('[16]', '[16], anyCid: true'), /allowedCids/],
    ['CIDs and a path', change('[16]', '[16], path: /a'), /allowedCids/],
    ['a CID in quotes', change('[16]', '["16"]'), /allowedCids\[0\]/],
    ['VMADDR_CID_ANY as a CID', change('[16]', '[4294967295]'), /allowedCids\[0\]/],
    ['a negative port', change('8000', '-1'), /listen\.port/],
    ['a port beyond vsock', change('8000', '4294967296'), /listen\.port/],
    ['a TCP port beyond 65535', change('port: 443, host: 0', 'port: 65536, host: 0'), /listen/],
    ['a name to listen on', change('0.0.0.0', 'localhost'), /inbound\[0\]\.listen\.host/],
    ['no destination', change(/ {4}to: .*\n/, ''), /outbound\[0\]\.to/],
    ['an empty list of destinations', change(/allow: .*\n/, 'allow: []\n'), /connect\[0\]\.allow/],
    ['a destination twice', change('169.254.169.254, port: 80', 'STS.amazonaws.com., port: 443')],
    ['a wildcard', change('sts.amazonaws', '"*.amazonaws"'), /YAML/],
    ['a wildcard in quotes', change('sts.amazonaws.com', '"*.amazonaws.com"'), /wildcards/],
    ['a permission for an address', change('port: 80', 'port: 80, allowPrivateAddresses: true')],
    ['family 5', change('family: 4', 'family: 5'), /family/],
    ['yes for true', change('proxyProtocol: true', 'proxyProtocol: yes'), /proxyProtocol/],
    ['cid and path of an enclave', change('cid: 16,', 'cid: 16, path: /a,'), /cid and path/],
    ['neither', change('cid: 16, ', ''), /cid and path/],
    ['a name with a quote', change('name: kms', "name: 'a\"b'"), /name/],
    ['no connection at all', change('maxConnections: 10', 'maxConnections: 0'), /maxConnections/],
    ['no time at all', change('idleTimeout: 60000', 'idleTimeout: 0'), /idleTimeout/],
    ['counters for everybody', change('"::1"', '0.0.0.0'), /unsafeAnyInterface/],
    ['counters for the network', change('"::1"', '10.0.0.1'), /unsafeAnyInterface/],
    ['a list for an entry', change('outbound:\n  -', 'outbound:\n  - -')],
    ['a text for a list', change(/connect:\n(?: .*\n)+/, 'connect: sts\n'), /connect/],
  ] as [string, (text: string) => string, RegExp?][])('refuses %s', (_what, make, said = /./) => {
    const changed = make(VALID)
    expect(changed).not.toBe(VALID)
    expect(refusal(() => parseProxyConfig(changed))).toMatch(said)
  })

  it('accepts counters for everybody where that is said', () => {
    const changed = VALID.replace('"::1"', '0.0.0.0, unsafeAnyInterface: true')
    expect(parseProxyConfig(changed).metrics).toMatchObject({ host: '0.0.0.0' })
  })

  it('gives no option that a polluted prototype has', () => {
    for (const name of ['anyCid', 'path']) {
      Reflect.set(Object.prototype, name, name === 'anyCid' ? true : '/a')
      try {
        refusal(() => parseProxyConfig(VALID.replace(', allowedCids: [16]', '')))
        const { outbound, connect } = parseProxyConfig(VALID)
        for (const { listen } of [...(outbound ?? []), ...(connect ?? [])]) {
          expect(name in listen).toBe(listen.port === 8001 && name === 'anyCid')
        }
      } finally {
        Reflect.deleteProperty(Object.prototype, name)
      }
    }
  })

  it('judges what a caller gives in the same way', async () => {
    const to = { host: 'a.example', port: 443, allowPrivate: true }
    const outbound = [{ listen: { port: 8000, anyCid: true }, to }]
    await expect(startProxy({ outbound })).rejects.toMatchObject(REFUSED)
    for (const name of ['outbound', 'inbound', 'connect']) {
      const sparse = { [name]: Object.assign([], { length: 1 }) }
      expect(refusal(() => checkProxyOptions(sparse))).toMatch(`options.${name}[0]: a map expected`)
    }
  })
})
