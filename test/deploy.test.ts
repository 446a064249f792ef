// The deployment's templates, as `cdk synth` writes them: every resource, and what would make it unsafe.
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'

const folder = join(import.meta.dirname, '../examples/deploy')
const cdk = join(folder, 'node_modules/aws-cdk/bin/cdk')
const scratch = mkdtempSync(join(tmpdir(), 'deploy-'))
const run = promisify(execFile)

const pcr = (digit: string): string => digit.repeat(96)
const admitted = [
  { label: 'shop-1.5', pcrs: { PCR0: pcr('1'), PCR1: pcr('2'), PCR2: pcr('3') } },
  { label: 'shop-1.4', pcrs: { PCR0: pcr('4'), PCR1: pcr('2'), PCR2: pcr('5') } },
]
const deployment = {
  ...{ account: '123456789012', region: 'eu-west-1', environmentName: 'shop' },
  ...{ domainName: 'shop.example.com', hostedZoneId: 'Z0123456789ABC' },
  ...{ hostedZoneName: 'example.com', image: 'app.eif', admitted: 'admitted.json' },
  ...{ keyLocked: false, cliVersion: '0.1.0', enclaveMemory: 2048 },
  parentImage: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/parent@sha256:${'0'.repeat(64)}`,
  devicePluginImage: `registry.example/plugin@sha256:${'1'.repeat(64)}`,
}

interface Resource {
  readonly Type: string
  readonly Properties: Readonly<Record<string, unknown>>
  readonly DeletionPolicy?: string
  readonly UpdatePolicy?: unknown
  readonly CreationPolicy?: unknown
  readonly DependsOn?: readonly string[]
}
type Template = Readonly<Record<string, Resource>>

const read = (name: string, out = 'out'): Template =>
  (
    JSON.parse(readFileSync(join(scratch, out, `${name}.template.json`), 'utf8')) as {
      Resources: Template
    }
  ).Resources
const all = (template: Template, type: string): Resource[] =>
  Object.values(template).filter(({ Type }) => Type === type)
const one = (template: Template, type: string): Resource => {
  const found = all(template, type)
  expect(found, type).toHaveLength(1)
  return found[0] as Resource
}

/** What lies in a value under these names. */
function at(value: unknown, ...path: string[]): unknown {
  return path.reduce((found, key) => (found as Record<string, unknown>)[key], value)
}

/** What a new instance does at its first start. */
const userData = (template: Template): string =>
  joined(
    at(
      one(template, 'AWS::EC2::LaunchTemplate').Properties,
      ...['LaunchTemplateData', 'UserData', 'Fn::Base64'],
    ),
  )

/** The deployment with other words in it, as a file. */
function write(name: string, more: object, admittedImages: unknown = admitted): string {
  writeFileSync(join(scratch, 'app.eif'), 'an image')
  writeFileSync(join(scratch, 'admitted.json'), JSON.stringify(admittedImages))
  const file = join(scratch, `${name}.json`)
  writeFileSync(file, JSON.stringify({ ...deployment, ...more }))
  return file
}

/** The program without the command, as CDK calls it. */
function synthesise(file: string, out: string): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, ['app.ts'], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      CDK_OUTDIR: join(scratch, out),
      CDK_CONTEXT_JSON: JSON.stringify({ deployment: file }),
    },
  })
}

/** Text of what CloudFormation would join. */
function joined(value: unknown): string {
  if (typeof value === 'string') return value
  const parts = (value as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join']
  if (parts === undefined) return JSON.stringify(value)
  return parts[1].map(joined).join(parts[0])
}

describe.skipIf(!existsSync(cdk))('examples/deploy (needs its own npm ci)', () => {
  let ec2: Template = {}
  let eks: Template = {}
  beforeAll(async () => {
    const file = write('deployment', {})
    const words = ['synth', '--quiet', '--output', join(scratch, 'out'), '-c', `deployment=${file}`]
    await run(process.execPath, [cdk, ...words], {
      cwd: folder,
      env: {
        ...process.env,
        PATH: `${join(process.execPath, '..')}:${process.env['PATH']}`,
        CDK_DISABLE_VERSION_CHECK: '1',
      },
    })
    ec2 = read('shop-ec2')
    eks = read('shop-eks')
  }, 120_000)
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  test('two zones, each with a public and a private subnet, gateways and an ACL', () => {
    const subnets = all(ec2, 'AWS::EC2::Subnet').map(({ Properties }) => Properties)
    const open = subnets.filter(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch === true)
    expect([subnets.length, open.length]).toEqual([4, 2])
    expect(new Set(subnets.map(({ AvailabilityZone }) => AvailabilityZone))).toEqual(
      new Set(['eu-west-1a', 'eu-west-1b']),
    )
    one(ec2, 'AWS::EC2::InternetGateway')
    expect(all(ec2, 'AWS::EC2::NatGateway')).toHaveLength(2)
    one(ec2, 'AWS::EC2::NetworkAcl')
    expect(all(ec2, 'AWS::EC2::SubnetNetworkAclAssociation')).toHaveLength(2)
    const { SecurityGroupIngress, SecurityGroupEgress } = one(
      ec2,
      'AWS::EC2::SecurityGroup',
    ).Properties
    for (const rules of [SecurityGroupIngress, SecurityGroupEgress]) {
      expect(rules).toMatchObject([{ FromPort: 443, ToPort: 443, IpProtocol: 'tcp' }])
    }
  })

  test('instances with enclaves, tokens for metadata, encrypted disks, two of them, replaced one by one', () => {
    const { LaunchTemplateData: data } = one(ec2, 'AWS::EC2::LaunchTemplate').Properties
    expect(data).toMatchObject({
      EnclaveOptions: { Enabled: true },
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      InstanceType: 'c6i.xlarge',
      BlockDeviceMappings: [{ Ebs: { Encrypted: true } }],
    })
    const group = one(ec2, 'AWS::AutoScaling::AutoScalingGroup')
    expect(group.Properties).toMatchObject({ MinSize: '2', MaxSize: '4' })
    expect(group.Properties['VPCZoneIdentifier']).toHaveLength(2)
    expect(group.UpdatePolicy).toMatchObject({
      AutoScalingRollingUpdate: {
        MinInstancesInService: 2,
        MaxBatchSize: 1,
        WaitOnResourceSignals: true,
      },
    })
    expect(group.CreationPolicy).toMatchObject({ ResourceSignal: { Count: 2 } })
    const [association] = Object.entries(ec2).find(
      ([, { Type }]) => Type === 'AWS::EC2::EnclaveCertificateIamRoleAssociation',
    ) ?? ['']
    expect(group.DependsOn).toContain(association)
  })

  test('the load balancer carries bytes: no TLS ends there', () => {
    expect(one(ec2, 'AWS::ElasticLoadBalancingV2::LoadBalancer').Properties).toMatchObject({
      Type: 'network',
      Scheme: 'internet-facing',
    })
    const listener = one(ec2, 'AWS::ElasticLoadBalancingV2::Listener').Properties
    expect(listener).toMatchObject({ Port: 443, Protocol: 'TCP' })
    expect(listener['Certificates']).toBeUndefined()
    expect(one(ec2, 'AWS::ElasticLoadBalancingV2::TargetGroup').Properties).toMatchObject({
      Port: 443,
      Protocol: 'TCP',
      TargetType: 'instance',
      TargetGroupAttributes: expect.arrayContaining([
        { Key: 'preserve_client_ip.enabled', Value: 'true' },
      ]),
    })
    expect(one(ec2, 'AWS::Route53::RecordSet').Properties).toMatchObject({
      Name: 'shop.example.com.',
      Type: 'A',
      HostedZoneId: 'Z0123456789ABC',
    })
  })

  test('the certificate is validated by DNS and associated with the role, which may read it', () => {
    expect(one(ec2, 'AWS::CertificateManager::Certificate').Properties).toMatchObject({
      DomainName: 'shop.example.com',
      ValidationMethod: 'DNS',
      DomainValidationOptions: [{ DomainName: 'shop.example.com', HostedZoneId: 'Z0123456789ABC' }],
    })
    one(ec2, 'AWS::EC2::EnclaveCertificateIamRoleAssociation')
    const statements = at(
      one(ec2, 'AWS::IAM::Policy').Properties,
      'PolicyDocument',
      'Statement',
    ) as {
      Sid?: string
      Effect: string
      Action: unknown
      Resource: unknown
    }[]
    const named = new Map(statements.map((statement) => [statement.Sid, statement]))
    expect(named.get('AttestedKey')?.Action).toEqual([
      ...['kms:Decrypt', 'kms:GenerateDataKey', 'kms:Encrypt', 'kms:GetKeyPolicy'],
    ])
    expect(joined(named.get('AssociatedKey')?.Resource)).toMatch(/^arn:.*:kms:eu-west-1:\*:key\//)
    expect(joined(named.get('AssociatedBundle')?.Resource)).toMatch(
      /CertificateS3BucketName.*\/\*$/,
    )
    for (const { Effect, Resource } of statements) {
      expect(Effect).toBe('Allow')
      expect(Resource).not.toBe('*')
    }
    expect(one(ec2, 'AWS::S3::Bucket').Properties['PublicAccessBlockConfiguration']).toEqual({
      ...{ BlockPublicAcls: true, BlockPublicPolicy: true },
      ...{ IgnorePublicAcls: true, RestrictPublicBuckets: true },
    })
  })

  test('the key has the policy that is made of both images, and is kept', () => {
    const expected = createKeyPolicy({
      account: '123456789012',
      images: admitted,
      enclaveRoles: ['arn:aws:iam::123456789012:role/shop-instance'],
      administrators: ['arn:aws:iam::123456789012:root'],
      locked: false,
    })
    for (const template of [ec2, eks]) {
      const key = one(template, 'AWS::KMS::Key')
      expect(key.Properties['KeyPolicy']).toEqual(JSON.parse(expected.json))
      expect(key.DeletionPolicy).toBe('Retain')
      const role = Object.entries(template).find(
        ([, { Type, Properties }]) =>
          Type === 'AWS::IAM::Role' && Properties['RoleName'] === 'shop-instance',
      )
      expect(key.DependsOn).toContain(role?.[0])
    }
  })

  test('user data is a program whose files the commands take', () => {
    const script = userData(ec2)
    writeFileSync(join(scratch, 'user-data.sh'), script)
    execFileSync('bash', ['-n', join(scratch, 'user-data.sh')])
    expect(script).toContain('npm install --global --ignore-scripts @enclavejs/cli@0.1.0 ')
    expect(script).toContain('cfn-signal')
    const files = new Map(
      [...script.matchAll(/^cat > (\S+) <<'END-OF-FILE'\n([^]*?)\nEND-OF-FILE$/gm)].map(
        ([, path, text]) => [path as string, `${text}\n`],
      ),
    )
    expect(files.get('/etc/nitro_enclaves/allocator.yaml')).toMatch(
      /memory_mib: 2048\ncpu_count: 2/,
    )
    const proxy = join(scratch, 'proxy.yaml')
    writeFileSync(proxy, files.get('/etc/enclave/proxy.yaml') ?? '')
    const stub = join(folder, '../../packages/cli/src/bin.ts')
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--conditions=@enclavejs/source', stub, 'proxy', '--config', proxy, '--check'],
      { encoding: 'utf8' },
    )
    expect(stderr).toContain('the configuration is good')
    expect(status).toBe(0)
    const units = [...files].filter(([path]) => path.endsWith('.service'))
    expect(units).toHaveLength(3)
  })

  test('systemd takes the units', ({ skip }) => {
    if (spawnSync('systemd-analyze', ['--version']).error) skip('no systemd-analyze')
    const script = userData(ec2)
    const root = join(scratch, 'root')
    for (const place of ['etc/systemd/system', 'usr/local/bin', 'usr/lib/systemd/system']) {
      mkdirSync(join(root, place), { recursive: true })
    }
    for (const [, path, text] of script.matchAll(
      /^cat > (\S+\.service) <<'END-OF-FILE'\n([^]*?)\nEND-OF-FILE$/gm,
    )) {
      writeFileSync(join(root, path as string), `${text}\n`)
      const { stderr } = spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', join(root, path as string)],
        {
          encoding: 'utf8',
        },
      )
      const about = stderr
        .split('\n')
        .filter((line) => line.includes(root) || /Unknown|Failed to parse|invalid/i.test(line))
        .filter((line) => !/is not executable|Cannot add dependency|Unit \S+ not found/.test(line))
      expect(about).toEqual([])
    }
  })

  test('EKS: nodes set memory aside, the plugin runs there, pods ask for the device, by Pod Identity', () => {
    const templates = all(eks, 'AWS::EC2::LaunchTemplate')
    expect(templates).toHaveLength(1)
    expect(templates[0]?.Properties['LaunchTemplateData']).toMatchObject({
      EnclaveOptions: { Enabled: true },
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    })
    expect(one(eks, 'AWS::EKS::Nodegroup').Properties).toMatchObject({
      Labels: { 'aws-nitro-enclaves-k8s-dp': 'enabled' },
      ScalingConfig: { MinSize: 2, DesiredSize: 2 },
    })
    const manifests = all(eks, 'Custom::AWSCDK-EKS-KubernetesResource').flatMap(
      ({ Properties }) => JSON.parse(joined(Properties['Manifest'])) as Record<string, unknown>[],
    )
    expect(manifests.map(({ kind }) => kind)).toEqual([
      ...['DaemonSet', 'Namespace', 'ServiceAccount', 'ConfigMap', 'Deployment', 'Service'],
      'PodDisruptionBudget',
    ])
    const workload = manifests.find(({ kind }) => kind === 'Deployment')
    const containers = at(workload, 'spec', 'template', 'spec', 'containers') as unknown[]
    expect(containers).toHaveLength(3)
    expect(at(containers[0], 'resources', 'limits')).toMatchObject({
      'aws.ec2.nitro/nitro_enclaves': '1',
      'hugepages-2Mi': '2048Mi',
    })
    for (const container of containers) {
      expect(container).toMatchObject({
        image: deployment.parentImage,
        securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true },
      })
    }
    const plugin = at(manifests[0], 'spec', 'template', 'spec', 'containers') as unknown[]
    expect(plugin[0]).toMatchObject({ image: deployment.devicePluginImage })
    one(eks, 'AWS::EKS::PodIdentityAssociation')
  })

  test('Systems Manager is an option', () => {
    const names = (template: Template): string => JSON.stringify(all(template, 'AWS::IAM::Role'))
    expect(names(ec2)).not.toContain('AmazonSSMManagedInstanceCore')
    const { status } = synthesise(write('ssm', { ssm: true }), 'ssm')
    expect(status).toBe(0)
    expect(names(read('shop-ec2', 'ssm'))).toContain('AmazonSSMManagedInstanceCore')
  })

  test.each([
    ['a word that is not known', { colour: 'blue' }, admitted, 'colour is not known'],
    ['a name outside its zone', { domainName: 'shop.example.org' }, admitted, 'is not in the zone'],
    ['no word about the lock', { keyLocked: undefined }, admitted, 'keyLocked is missing'],
    [
      'a parent image without a digest',
      { parentImage: 'registry.example/parent:latest' },
      admitted,
      'parentImage',
    ],
    [
      'EKS without the device plugin',
      { devicePluginImage: undefined },
      admitted,
      'EKS needs parentImage and devicePluginImage',
    ],
    [
      'an image in debug mode',
      {},
      [{ label: 'debug', pcrs: { PCR0: pcr('0'), PCR1: pcr('0'), PCR2: pcr('0') } }],
      'zero',
    ],
  ])('refuses %s', (_name, more, images, message) => {
    const { status, stderr } = synthesise(write('refused', more, images), 'refused')
    expect(status).not.toBe(0)
    expect(stderr).toContain(message)
  })
})
