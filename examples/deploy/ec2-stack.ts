import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import { HostedZone } from 'aws-cdk-lib/aws-route53'
import type { Construct } from 'constructs'
import { EnclaveCertificate } from './certificate.ts'
import { zoneNames, type Deployment } from './deployment.ts'
import { EnclaveKey } from './enclave-key.ts'
import { Fleet } from './fleet.ts'
import { allowKey, createInstanceRole } from './instance-role.ts'
import { Network } from './network.ts'

/** The service on EC2. */
export class Ec2Stack extends Stack {
  readonly #zones: readonly string[]

  constructor(scope: Construct, id: string, deployment: Deployment, props: StackProps) {
    super(scope, id, props)
    this.#zones = zoneNames(deployment)
    const zone = HostedZone.fromHostedZoneAttributes(this, 'Zone', {
      hostedZoneId: deployment.hostedZoneId,
      zoneName: deployment.hostedZoneName,
    })
    const network = new Network(this, 'Network')
    const role = createInstanceRole(this, deployment)
    const key = new EnclaveKey(this, 'EnclaveKey', deployment, role)
    allowKey(role, key.arn)
    const certificate = new EnclaveCertificate(this, 'Certificate', deployment, zone, role)
    const fleet = new Fleet(this, 'Fleet', deployment, { network, role, zone })
    fleet.node.addDependency(certificate.association, key)
    new CfnOutput(this, 'KeyArn', { value: key.arn })
    new CfnOutput(this, 'BundleBucket', { value: certificate.bucket.bucketName })
    new CfnOutput(this, 'CertificateArn', { value: certificate.arn })
  }

  /** Those of the deployment: synthesis asks no account. */
  override get availabilityZones(): string[] {
    return [...this.#zones]
  }
}
