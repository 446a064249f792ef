import { checkRoleArn, parseCertificateArn, partitionOf } from './arn.ts'
import type { AwsWay } from './aws-way.ts'
import { AcmError } from './error.ts'
import { callAws, readTag } from './aws-call.ts'
import { readLocation, type BundleLocation } from './source/bundle-object.ts'

/** A certificate of ACM that is associated with a role: where its bundle lies, and under which key. Members as in the API. */
export interface CertificateAssociation {
  readonly AssociatedRoleArn: string
  readonly CertificateS3BucketName: string
  /** `ROLE_ARN/CERTIFICATE_ARN` */
  readonly CertificateS3ObjectKey: string
  /** The id of a KMS key in AWS's account. */
  readonly EncryptionKmsKeyId: string
}

/** Which certificate, and how EC2 is reached. Called from wherever there are permissions, seldom an enclave. */
export interface AssociationOptions extends AwsWay {
  readonly certificateArn: string
}

/**
 * AssociateEnclaveCertificateIamRole: AWS stores the certificate's bundle for the role, and again at each renewal. At most 16 roles
 * a certificate. Who can decrypt it: see {@link fromAssociatedCertificate}.
 *
 * @throws {AcmServiceError} `ERR_ACM_SERVICE`
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateEnclaveCertificateIamRole.html
 */
export async function associateCertificate(
  options: AssociationOptions & { readonly roleArn: string },
): Promise<CertificateAssociation> {
  const roleArn = checkRoleArn(options.roleArn)
  const answer = await call('AssociateEnclaveCertificateIamRole', options, { RoleArn: roleArn })
  return readAssociation(answer, roleArn)
}

/** DisassociateEnclaveCertificateIamRole: AWS deletes the bundle and the role's permission to the key. @throws {AcmServiceError} `ERR_ACM_SERVICE` */
export async function disassociateCertificate(
  options: AssociationOptions & { readonly roleArn: string },
): Promise<void> {
  const roleArn = checkRoleArn(options.roleArn)
  const answer = await call('DisassociateEnclaveCertificateIamRole', options, { RoleArn: roleArn })
  if (readTag(answer, 'return') === 'true') return
  throw new AcmError(
    'ERR_ACM_SERVICE',
    'DisassociateEnclaveCertificateIamRole did not say that it succeeded',
  )
}

/** GetAssociatedEnclaveCertificateIamRoles: the roles that a certificate is associated with. @throws {AcmServiceError} `ERR_ACM_SERVICE` */
export async function getAssociatedRoles(
  options: AssociationOptions,
): Promise<readonly CertificateAssociation[]> {
  const answer = await call('GetAssociatedEnclaveCertificateIamRoles', options, {})
  const items = answer.split('<item>').slice(1)
  return items.map((item) => {
    const role = readTag(item, 'associatedRoleArn')
    if (role === undefined) throw malformed()
    return readAssociation(item, role)
  })
}

function call(
  operation: string,
  { certificateArn, ...way }: AssociationOptions,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const { arn, region } = parseCertificateArn(certificateArn)
  const body = new URLSearchParams({
    ...{ Action: operation, Version: '2016-11-15', CertificateArn: arn },
    ...parameters,
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
  return callAws({ service: 'ec2', region, operation, headers, body: body.toString() }, way)
}

function readAssociation(xml: string, roleArn: string): CertificateAssociation {
  const read = (name: string): string => {
    const value = readTag(xml, name)
    if (value === undefined || value === '') throw malformed()
    return value
  }
  return {
    AssociatedRoleArn: roleArn,
    CertificateS3BucketName: read('certificateS3BucketName'),
    CertificateS3ObjectKey: read('certificateS3ObjectKey'),
    EncryptionKmsKeyId: read('encryptionKmsKeyId'),
  }
}

function malformed(): AcmError {
  return new AcmError('ERR_ACM_SERVICE', 'EC2 answered, but not with an association')
}

/** A statement of an IAM policy. */
export interface PolicyStatement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource: string
}

/** What the role of the instance must be allowed so that its enclave can load an associated certificate. */
export function associatedRoleStatements(
  {
    CertificateS3BucketName: bucket,
    CertificateS3ObjectKey: key,
    EncryptionKmsKeyId: keyId,
  }: CertificateAssociation,
  region: string,
): readonly PolicyStatement[] {
  const partition = partitionOf(region)
  return [
    statement('ReadBundle', ['s3:GetObject'], `arn:${partition}:s3:::${bucket}/${key}`),
    // The key is in an account of AWS's that the API does not name.
    statement('DecryptKey', ['kms:Decrypt'], `arn:${partition}:kms:${region}:*:key/${keyId}`),
  ]
}

/**
 * What a role must be allowed so that its enclave can load an own bundle; and with `publish`, make one. The key's own policy says
 * which enclaves: allow nothing there without the PCRs of the image.
 */
export function ownRoleStatements(
  location: BundleLocation,
  { publish = false }: { readonly publish?: boolean } = {},
): readonly PolicyStatement[] {
  const { bucket, key, keyArn, region } = readLocation(location)
  const object = `arn:${partitionOf(region)}:s3:::${bucket}/${key}`
  return [
    statement('Bundle', ['s3:GetObject', ...(publish ? ['s3:PutObject'] : [])], object),
    statement('Key', ['kms:Decrypt', ...(publish ? ['kms:Encrypt'] : [])], keyArn),
  ]
}

function statement(Sid: string, Action: readonly string[], Resource: string): PolicyStatement {
  return { Sid, Effect: 'Allow', Action, Resource }
}
