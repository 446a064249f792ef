import {
  AclCidr,
  AclTraffic,
  Action,
  IpAddresses,
  NetworkAcl,
  SubnetType,
  TrafficDirection,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'

const ADDRESSES = '10.0.0.0/16'

/** Two zones, each with a public subnet for the load balancer and NAT, and a private one for the instances. */
export class Network extends Construct {
  readonly vpc: Vpc

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(ADDRESSES),
      maxAzs: 2,
      natGateways: 2,
      restrictDefaultSecurityGroup: true,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24 },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 24 },
      ],
    })
    this.#limitPrivateSubnets()
  }

  /** What has no business on the instances' subnets does not get there: TLS in, HTTPS out, and their answers. */
  #limitPrivateSubnets(): void {
    const acl = new NetworkAcl(this, 'PrivateAcl', {
      vpc: this.vpc,
      subnetSelection: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
    })
    const entries: [string, number, TrafficDirection, AclTraffic][] = [
      ['TlsIn', 100, TrafficDirection.INGRESS, AclTraffic.tcpPort(443)],
      ['AnswersIn', 110, TrafficDirection.INGRESS, AclTraffic.tcpPortRange(1024, 65535)],
      ['HttpsOut', 100, TrafficDirection.EGRESS, AclTraffic.tcpPort(443)],
      ['AnswersOut', 110, TrafficDirection.EGRESS, AclTraffic.tcpPortRange(1024, 65535)],
    ]
    const inside = {
      cidr: AclCidr.ipv4(ADDRESSES),
      traffic: AclTraffic.allTraffic(),
      ruleNumber: 90,
    }
    acl.addEntry('InsideIn', { ...inside, direction: TrafficDirection.INGRESS })
    acl.addEntry('InsideOut', { ...inside, direction: TrafficDirection.EGRESS })
    for (const [name, ruleNumber, direction, traffic] of entries) {
      const rule = { ruleNumber, direction, traffic, ruleAction: Action.ALLOW }
      acl.addEntry(name, { cidr: AclCidr.anyIpv4(), ...rule })
    }
  }
}
