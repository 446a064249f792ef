import type { CertificateRecord } from './certificate-record.ts'
import type { CertificateStore } from './certificate-store.ts'
import { AwsException } from './error.ts'

/** A call of EC2's Query API whose signature held. */
interface Ec2Call {
  readonly parameters: URLSearchParams
  readonly accountId: string
  readonly requestId: string
  readonly bucketName: string
  readonly store: CertificateStore
}

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/

type Ec2Operation = (call: Ec2Call) => Promise<string>

/** The three calls by `Action`, each giving the members of its answer. */
export const EC2_OPERATIONS: ReadonlyMap<string, Ec2Operation> = new Map([
  [
    'AssociateEnclaveCertificateIamRole',
    async (call: Ec2Call) => {
      const roleArn = role(call)
      const { store, accountId, bucketName } = call
      const record = await store.associate(certificate(call), roleArn, accountId)
      return association(record, roleArn, bucketName)
    },
  ],
  [
    'DisassociateEnclaveCertificateIamRole',
    async (call: Ec2Call) => {
      await call.store.disassociate(certificate(call), role(call), call.accountId)
      return '<return>true</return>'
    },
  ],
  [
    'GetAssociatedEnclaveCertificateIamRoles',
    async (call: Ec2Call) => {
      const record = call.store.get(certificate(call), call.accountId)
      const items = [...record.roles.keys()].map(
        (one) =>
          `<item><associatedRoleArn>${escapeXml(one)}</associatedRoleArn>${association(record, one, call.bucketName)}</item>`,
      )
      return `<associatedRoleSet>${items.join('')}</associatedRoleSet>`
    },
  ],
])

export function ec2Answer(action: string, members: string, requestId: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>${requestId}</requestId>${members}</${action}Response>`
}

export function ec2Error({ code, message }: AwsException, requestId: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`
}

function association(record: CertificateRecord, roleArn: string, bucketName: string): string {
  const members = {
    certificateS3BucketName: bucketName,
    certificateS3ObjectKey: record.roles.get(roleArn) ?? '',
    encryptionKmsKeyId: record.encryptionKmsKeyId ?? '',
  }
  return Object.entries(members)
    .map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`)
    .join('')
}

function certificate({ parameters }: Ec2Call): string {
  const arn = parameters.get('CertificateArn')
  if (arn !== null) return arn
  throw new AwsException(
    'MissingParameter',
    'The request must contain the parameter CertificateArn',
  )
}

function role({ parameters }: Ec2Call): string {
  const arn = parameters.get('RoleArn')
  if (arn === null) {
    throw new AwsException('MissingParameter', 'The request must contain the parameter RoleArn')
  }
  if (ROLE.test(arn)) return arn
  throw new AwsException('InvalidRoleArn.Malformed', `The role ARN '${arn}' is malformed`)
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
