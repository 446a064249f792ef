import { Arn, Stack } from 'aws-cdk-lib'
import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager'
import { CfnEnclaveCertificateIamRoleAssociation } from 'aws-cdk-lib/aws-ec2'
import { Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import type { IHostedZone } from 'aws-cdk-lib/aws-route53'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { Deployment } from './deployment.ts'

/**
 * A certificate of ACM, validated by DNS and associated with the instances' role, and a bucket for bundles of one's own.
 * The associated bundle is encrypted under a key of AWS, which most likely opens it to AWS's own enclave image alone; the
 * image of this deployment takes its certificate from the bucket, where `enclavejs acm publish` puts it.
 */
export class EnclaveCertificate extends Construct {
  readonly arn: string
  readonly bucket: Bucket
  readonly association: CfnEnclaveCertificateIamRoleAssociation

  constructor(scope: Construct, id: string, deployment: Deployment, zone: IHostedZone, role: Role) {
    super(scope, id)
    const certificate = new Certificate(this, 'Certificate', {
      domainName: deployment.domainName,
      validation: CertificateValidation.fromDns(zone),
    })
    this.arn = certificate.certificateArn
    this.association = new CfnEnclaveCertificateIamRoleAssociation(this, 'Association', {
      certificateArn: this.arn,
      roleArn: role.roleArn,
    })
    this.bucket = new Bucket(this, 'Bundles', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      versioned: true,
    })
    this.#allow(role)
  }

  #allow(role: Role): void {
    const { partition, region } = Stack.of(this)
    const { attrCertificateS3BucketName, attrEncryptionKmsKeyId } = this.association
    const objects = `arn:${partition}:s3:::${attrCertificateS3BucketName}/*`
    // The account is one of AWS's, which the association does not name.
    const key = Arn.format({
      ...{ partition, region, account: '*', service: 'kms' },
      ...{ resource: 'key', resourceName: attrEncryptionKmsKeyId },
    })
    const statements: [string, string[], string[]][] = [
      ['AssociatedBundle', ['s3:GetObject'], [objects]],
      ['AssociatedKey', ['kms:Decrypt'], [key]],
      ['OwnBundles', ['s3:GetObject', 's3:PutObject'], [this.bucket.arnForObjects('*')]],
    ]
    for (const [sid, actions, resources] of statements) {
      role.addToPolicy(new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources }))
    }
  }
}
