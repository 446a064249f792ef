import { UserData } from 'aws-cdk-lib/aws-ec2'
import type { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Deployment } from './deployment.ts'
import { allocatorConfiguration, IMAGE, proxyConfiguration, units } from './parent-files.ts'

/** What a new instance does at its first start, on Amazon Linux 2023. A step that fails fails the instance. */
export function createUserData(deployment: Deployment, image: Asset): UserData {
  const data = UserData.forLinux()
  const digest = createHash('sha256').update(readFileSync(deployment.image)).digest('hex')
  data.addCommands(
    'set -euo pipefail',
    'dnf install -y aws-nitro-enclaves-cli nodejs22 nodejs22-npm',
    `npm install --global --ignore-scripts ${packages(deployment).join(' ')}`,
    'useradd --system --gid ne --home-dir /run/enclave enclave',
    'mkdir -p /opt/enclave /etc/enclave',
  )
  data.addS3DownloadCommand({
    bucket: image.bucket,
    bucketKey: image.s3ObjectKey,
    localFile: IMAGE,
  })
  data.addCommands(
    `echo '${digest}  ${IMAGE}' | sha256sum --check`,
    ...write('/etc/nitro_enclaves/allocator.yaml', allocatorConfiguration(deployment)),
    ...write('/etc/enclave/proxy.yaml', proxyConfiguration(deployment)),
    ...[...units(deployment)].flatMap(([name, text]) => write(`/etc/systemd/system/${name}`, text)),
    'systemctl daemon-reload',
    'systemctl enable --now nitro-enclaves-allocator.service',
    `systemctl enable --now ${[...units(deployment).keys()].join(' ')}`,
  )
  return data
}

/** What the parent installs, all of one version. */
export function packages({ cliVersion }: Deployment): string[] {
  return ['cli', 'eif', 'kms-enclave', 'launcher', 'vsock'].map(
    (name) => `@enclavejs/${name}@${cliVersion}`,
  )
}

function write(path: string, text: string): string[] {
  return [`cat > ${path} <<'END-OF-FILE'`, ...text.replace(/\n$/, '').split('\n'), 'END-OF-FILE']
}
