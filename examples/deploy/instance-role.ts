import { Effect, ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { roleName, type Deployment } from './deployment.ts'

/** The role of the instances, whose credentials the enclaves use too. It is worth little: the key asks for the image. */
export function createInstanceRole(scope: Construct, deployment: Deployment): Role {
  const role = new Role(scope, 'InstanceRole', {
    roleName: roleName(deployment),
    assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
    description: 'Parent instances of enclaves',
  })
  if (deployment.ssm) {
    role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore'))
  }
  return role
}

/** What the enclave asks of KMS, named in the role as in the key's policy. */
export function allowKey(role: Role, keyArn: string): void {
  role.addToPolicy(
    new PolicyStatement({
      sid: 'AttestedKey',
      effect: Effect.ALLOW,
      actions: ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:Encrypt', 'kms:GetKeyPolicy'],
      resources: [keyArn],
    }),
  )
}
