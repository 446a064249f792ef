// The deployment that `cdk synth -c deployment=FILE` names, as two stacks of which one is deployed: EC2 or EKS.
import { App } from 'aws-cdk-lib'
import { readDeployment } from './deployment.ts'
import { Ec2Stack } from './ec2-stack.ts'
import { EksStack } from './eks-stack.ts'

const app = new App()
const file: unknown = app.node.tryGetContext('deployment')
if (typeof file !== 'string')
  throw new TypeError('name the deployment: cdk synth -c deployment=FILE')
const deployment = readDeployment(file)
const env = { account: deployment.account, region: deployment.region }
const name = deployment.environmentName
new Ec2Stack(app, `${name}-ec2`, deployment, { env, description: 'Attested service on EC2' })
if ((deployment.parentImage === undefined) !== (deployment.devicePluginImage === undefined)) {
  throw new TypeError('EKS needs parentImage and devicePluginImage')
}
if (deployment.parentImage !== undefined) {
  new EksStack(app, `${name}-eks`, deployment, { env, description: 'Attested service on EKS' })
}
