import { Duration } from 'aws-cdk-lib'
import { AutoScalingGroup, Signals, UpdatePolicy } from 'aws-cdk-lib/aws-autoscaling'
import {
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  InstanceType,
  LaunchTemplate,
  LaunchTemplateHttpTokens,
  MachineImage,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
} from 'aws-cdk-lib/aws-ec2'
import { NetworkLoadBalancer, Protocol } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import type { Role } from 'aws-cdk-lib/aws-iam'
import { ARecord, RecordTarget, type IHostedZone } from 'aws-cdk-lib/aws-route53'
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { Construct } from 'constructs'
import type { Deployment } from './deployment.ts'
import type { Network } from './network.ts'
import { createUserData } from './user-data.ts'

/** Instances with enclaves in two zones behind a load balancer that carries bytes: TLS ends in the enclaves. */
export class Fleet extends Construct {
  readonly group: AutoScalingGroup

  constructor(
    scope: Construct,
    id: string,
    deployment: Deployment,
    { network, role, zone }: { network: Network; role: Role; zone: IHostedZone },
  ) {
    super(scope, id)
    const image = new Asset(this, 'Image', { path: deployment.image })
    image.grantRead(role)
    const security = this.#createSecurityGroup(network)
    const userData = createUserData(deployment, image)
    const template = new LaunchTemplate(this, 'Template', {
      machineImage: MachineImage.latestAmazonLinux2023(),
      instanceType: new InstanceType(deployment.instanceType),
      nitroEnclaveEnabled: true,
      httpTokens: LaunchTemplateHttpTokens.REQUIRED,
      httpPutResponseHopLimit: 1,
      securityGroup: security,
      role,
      userData,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(16, {
            encrypted: true,
            volumeType: EbsDeviceVolumeType.GP3,
          }),
        },
      ],
    })
    this.group = new AutoScalingGroup(this, 'Group', {
      vpc: network.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      launchTemplate: template,
      minCapacity: 2,
      maxCapacity: 4,
      // A new instance counts when its enclave serves; the old ones go one by one. The key admits both images meanwhile.
      signals: Signals.waitForAll({ timeout: Duration.minutes(15) }),
      updatePolicy: UpdatePolicy.rollingUpdate({
        minInstancesInService: 2,
        maxBatchSize: 1,
        pauseTime: Duration.minutes(15),
      }),
    })
    userData.addSignalOnExitCommand(this.group)
    const balancer = new NetworkLoadBalancer(this, 'Balancer', {
      vpc: network.vpc,
      internetFacing: true,
      crossZoneEnabled: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
    })
    const listener = balancer.addListener('Tls', { port: 443, protocol: Protocol.TCP })
    listener.addTargets('Enclaves', {
      port: 443,
      protocol: Protocol.TCP,
      targets: [this.group],
      preserveClientIp: true,
      deregistrationDelay: Duration.seconds(60),
      healthCheck: { protocol: Protocol.TCP, port: '443', interval: Duration.seconds(10) },
    })
    new ARecord(this, 'Name', {
      zone,
      recordName: `${deployment.domainName}.`,
      target: RecordTarget.fromAlias(new LoadBalancerTarget(balancer)),
    })
  }

  #createSecurityGroup({ vpc }: Network): SecurityGroup {
    const group = new SecurityGroup(this, 'Instances', {
      vpc,
      description: 'TLS to the enclaves, HTTPS to AWS',
      allowAllOutbound: false,
    })
    group.addIngressRule(Peer.anyIpv4(), Port.tcp(443), 'TLS that ends in the enclave')
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS, packages')
    return group
  }
}
