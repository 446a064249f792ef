import { KubectlV34Layer } from '@aws-cdk/lambda-layer-kubectl-v34'
import { CfnOutput, Fn, Stack, type StackProps } from 'aws-cdk-lib'
import { CfnLaunchTemplate, SubnetType } from 'aws-cdk-lib/aws-ec2'
import { CfnAddon, CfnPodIdentityAssociation } from 'aws-cdk-lib/aws-eks'
import {
  Cluster,
  DefaultCapacityType,
  EndpointAccess,
  KubernetesVersion,
  NodegroupAmiType,
} from 'aws-cdk-lib/aws-eks-v2'
import { Role, ServicePrincipal, SessionTagsPrincipal } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { roleName, zoneNames, type Deployment } from './deployment.ts'
import { EnclaveKey } from './enclave-key.ts'
import { allowKey } from './instance-role.ts'
import {
  devicePlugin,
  NAMESPACE,
  NODE_LABELS,
  nodeUserData,
  SERVICE_ACCOUNT,
  workload,
} from './kubernetes.ts'
import { Network } from './network.ts'

/** The same service on EKS: AWS's device plugin gives pods the enclave device. */
export class EksStack extends Stack {
  readonly #zones: readonly string[]

  constructor(scope: Construct, id: string, deployment: Deployment, props: StackProps) {
    super(scope, id, props)
    this.#zones = zoneNames(deployment)
    const network = new Network(this, 'Network')
    const cluster = new Cluster(this, 'Cluster', {
      version: KubernetesVersion.V1_34,
      vpc: network.vpc,
      vpcSubnets: [{ subnetType: SubnetType.PRIVATE_WITH_EGRESS }],
      endpointAccess: EndpointAccess.PRIVATE,
      defaultCapacityType: DefaultCapacityType.NODEGROUP,
      defaultCapacity: 0,
      kubectlProviderOptions: { kubectlLayer: new KubectlV34Layer(this, 'Kubectl') },
    })
    this.#addNodes(cluster, deployment)
    const role = this.#createPodRole(cluster, deployment)
    const key = new EnclaveKey(this, 'EnclaveKey', deployment, role)
    allowKey(role, key.arn)
    cluster.addManifest('DevicePlugin', devicePlugin(deployment))
    cluster.addManifest('Workload', ...workload(deployment)).node.addDependency(key)
    new CfnOutput(this, 'KeyArn', { value: key.arn })
  }

  /** Those of the deployment: synthesis asks no account. */
  override get availabilityZones(): string[] {
    return [...this.#zones]
  }

  #addNodes(cluster: Cluster, deployment: Deployment): void {
    const template = new CfnLaunchTemplate(this, 'NodeTemplate', {
      launchTemplateData: {
        instanceType: deployment.instanceType,
        enclaveOptions: { enabled: true },
        // One hop: pods get their credentials from the agent, and none of the instance.
        metadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
        blockDeviceMappings: [
          { deviceName: '/dev/xvda', ebs: { volumeSize: 30, volumeType: 'gp3', encrypted: true } },
        ],
        userData: Fn.base64(nodeUserData(deployment)),
      },
    })
    cluster.addNodegroupCapacity('Nodes', {
      amiType: NodegroupAmiType.AL2023_X86_64_STANDARD,
      launchTemplateSpec: { id: template.ref, version: template.attrLatestVersionNumber },
      minSize: 2,
      desiredSize: 2,
      maxSize: 4,
      labels: NODE_LABELS,
      subnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
    })
  }

  /** The role of the pods, by EKS Pod Identity: the nodes' own role can do nothing with the key. */
  #createPodRole(cluster: Cluster, deployment: Deployment): Role {
    const role = new Role(this, 'PodRole', {
      roleName: roleName(deployment),
      assumedBy: new SessionTagsPrincipal(new ServicePrincipal('pods.eks.amazonaws.com')),
    })
    new CfnAddon(this, 'PodIdentityAgent', {
      addonName: 'eks-pod-identity-agent',
      clusterName: cluster.clusterName,
    })
    new CfnPodIdentityAssociation(this, 'PodIdentity', {
      clusterName: cluster.clusterName,
      namespace: NAMESPACE,
      serviceAccount: SERVICE_ACCOUNT,
      roleArn: role.roleArn,
    })
    return role
  }
}
