import { RemovalPolicy } from 'aws-cdk-lib'
import type { CfnRole, Role } from 'aws-cdk-lib/aws-iam'
import { CfnAlias, CfnKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { createKeyPolicy, type KeyPolicy } from '@enclavejs/kms-enclave/policy'
import { roleArn, type Deployment } from './deployment.ts'

/** The key whose policy is made of the images: nobody else gets plaintext from it, whoever has the role. */
export class EnclaveKey extends Construct {
  readonly arn: string
  readonly policy: KeyPolicy

  constructor(scope: Construct, id: string, deployment: Deployment, role: Role) {
    super(scope, id)
    const arn = roleArn(deployment)
    const root = `${arn.slice(0, arn.indexOf(':role/'))}:root`
    const created = createKeyPolicy({
      account: deployment.account,
      images: deployment.admitted,
      enclaveRoles: [arn],
      administrators: [root],
      locked: deployment.keyLocked,
    })
    this.policy = created.policy
    const key = new CfnKey(this, 'Key', {
      description: `${deployment.environmentName}: for the enclave images of its policy alone`,
      keyPolicy: JSON.parse(created.json),
      bypassPolicyLockoutSafetyCheck: created.bypassPolicyLockoutSafetyCheck,
      enableKeyRotation: true,
      pendingWindowInDays: 30,
    })
    // KMS refuses a policy that names a role which does not exist yet.
    key.addResourceDependency(role.node.defaultChild as CfnRole)
    key.applyRemovalPolicy(RemovalPolicy.RETAIN)
    new CfnAlias(this, 'Alias', {
      aliasName: `alias/${deployment.environmentName}`,
      targetKeyId: key.attrKeyId,
    })
    this.arn = key.attrArn
  }
}
