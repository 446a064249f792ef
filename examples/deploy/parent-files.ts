import type { Deployment } from './deployment.ts'

/** The enclave's CID, and what it listens on and asks for over vsock. */
export const CID = 16
const [ENCLAVE_TLS, KMS, S3, CREDENTIALS] = [8443, 8000, 8001, 8002]

/** Where the parent keeps the image, and its configuration. */
export const IMAGE = '/opt/enclave/app.eif'

/** The configuration of `enclavejs proxy`: the service inwards on `port`, KMS and S3 of this region outwards, nothing else. */
export function proxyConfiguration({ region }: Deployment, port = 443): string {
  const outbound = [
    [KMS, `kms.${region}.amazonaws.com`],
    [S3, `s3.${region}.amazonaws.com`],
  ]
  return [
    'outbound:',
    ...outbound.flatMap(([port, host]) => [
      `  - listen: { port: ${port}, allowedCids: [${CID}] }`,
      `    to: { host: ${host}, port: 443 }`,
    ]),
    'inbound:',
    `  - listen: { port: ${port}, host: 0.0.0.0 }`,
    `    to: { cid: ${CID}, port: ${ENCLAVE_TLS} }`,
    '    proxyProtocol: true',
    'metrics: { port: 9464 }',
    '',
  ].join('\n')
}

/** The allocator's file: what the instance sets aside. */
export function allocatorConfiguration({ enclaveMemory, enclaveCpus }: Deployment): string {
  return `---\nmemory_mib: ${enclaveMemory}\ncpu_count: ${enclaveCpus}\n`
}

/** How the parent runs the enclave, in its unit and in its container. */
export function runCommand({ enclaveMemory, enclaveCpus }: Deployment): readonly string[] {
  return [
    ...['enclavejs', 'run', IMAGE, '--backend', 'nitro-cli', '--name', 'app', '--cid', `${CID}`],
    ...['--memory', `${enclaveMemory}`, '--cpus', `${enclaveCpus}`, '--logs'],
  ]
}

/** How it gives the enclave the machine's credentials. */
export const credentialsCommand: readonly string[] = [
  ...['enclavejs', 'credentials', 'serve'],
  ...['--allow-cid', `${CID}`, '--port', `${CREDENTIALS}`],
]

/** How it leads the enclave's connections. */
export const proxyCommand: readonly string[] = [
  ...['enclavejs', 'proxy', '--config', '/etc/enclave/proxy.yaml', '--drain', '60'],
]

/** systemd's units by file name. Each runs as a user of its own; only the enclave's has the device. */
export function units(deployment: Deployment): ReadonlyMap<string, string> {
  const unit = (
    description: string,
    command: readonly string[],
    more: readonly string[],
    after = 'network-online.target',
  ): string =>
    [
      ...['[Unit]', `Description=${description}`, `Wants=${after}`, `After=${after}`, ''],
      ...['[Service]', `ExecStart=/usr/local/bin/${command.join(' ')}`],
      ...['Restart=always', 'RestartSec=2', 'NoNewPrivileges=yes', 'ProtectSystem=strict'],
      ...['ProtectHome=yes', 'PrivateTmp=yes', ...more, ''],
      ...['[Install]', 'WantedBy=multi-user.target', ''],
    ].join('\n')
  const dynamic = ['DynamicUser=yes', 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_VSOCK']
  return new Map([
    [
      'enclave-proxy.service',
      unit('vsock proxy of the enclave', proxyCommand, [
        ...[...dynamic, 'AmbientCapabilities=CAP_NET_BIND_SERVICE', 'TimeoutStopSec=75'],
      ]),
    ],
    [
      'enclave-credentials.service',
      unit('credentials for the enclave', credentialsCommand, dynamic),
    ],
    [
      'enclave.service',
      unit(
        'the enclave',
        runCommand(deployment),
        [
          ...[
            'User=enclave',
            'Group=ne',
            'RuntimeDirectory=enclave',
            'LogsDirectory=nitro_enclaves',
          ],
          ...['Environment=XDG_RUNTIME_DIR=/run/enclave', 'ReadWritePaths=/run/nitro_enclaves'],
        ],
        'nitro-enclaves-allocator.service enclave-proxy.service enclave-credentials.service',
      ),
    ],
  ])
}
