import type { Deployment } from './deployment.ts'
import {
  allocatorConfiguration,
  credentialsCommand,
  proxyConfiguration,
  runCommand,
} from './parent-files.ts'

/** A Kubernetes object, as `kubectl apply` takes it. */
export type Manifest = Readonly<Record<string, unknown>>

export const NAMESPACE = 'enclave'
export const SERVICE_ACCOUNT = 'enclave'

/** The label that a node has where the device plugin is to run. */
export const NODE_LABELS: Readonly<Record<string, string>> = {
  'aws-nitro-enclaves-k8s-dp': 'enabled',
}

/** AWS's device plugin: it makes /dev/nitro_enclaves a resource that a pod can ask for, without being privileged. */
export function devicePlugin({ devicePluginImage }: Deployment): Manifest {
  const labels = { name: 'aws-nitro-enclaves-k8s-dp' }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'aws-nitro-enclaves-k8s-daemonset', namespace: 'kube-system', labels },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          nodeSelector: NODE_LABELS,
          priorityClassName: 'system-node-critical',
          containers: [
            {
              name: 'device-plugin',
              image: devicePluginImage,
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
              },
              resources: { limits: { cpu: '10m', memory: '15Mi' } },
              volumeMounts: [
                { name: 'plugins', mountPath: '/var/lib/kubelet/device-plugins' },
                { name: 'dev', mountPath: '/dev' },
                { name: 'sys', mountPath: '/sys', readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: 'plugins', hostPath: { path: '/var/lib/kubelet/device-plugins' } },
            { name: 'dev', hostPath: { path: '/dev' } },
            { name: 'sys', hostPath: { path: '/sys' } },
          ],
        },
      },
    },
  }
}

/** The service: pods of three containers, of which one has the device; two of them, each on a node of its own. */
export function workload(deployment: Deployment): Manifest[] {
  const metadata = { name: 'enclave', namespace: NAMESPACE }
  const labels = { app: 'enclave' }
  const memory = `${deployment.enclaveMemory}Mi`
  const container = (name: string, command: readonly string[], more: object): object => ({
    name,
    image: deployment.parentImage,
    command,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 1000,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'run', mountPath: '/run/enclave' }],
    ...more,
  })
  const small = { resources: { limits: { memory: '256Mi' }, requests: { cpu: '100m' } } }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: SERVICE_ACCOUNT, namespace: NAMESPACE },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { 'proxy.yaml': proxyConfiguration(deployment, 8443) },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        // A node has room for one enclave of the CID that the image's policy of connections names.
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: SERVICE_ACCOUNT,
            nodeSelector: NODE_LABELS,
            terminationGracePeriodSeconds: 75,
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' },
                ],
              },
            },
            containers: [
              container('enclave', runCommand(deployment), {
                env: [{ name: 'XDG_RUNTIME_DIR', value: '/run/enclave' }],
                resources: {
                  limits: {
                    'aws.ec2.nitro/nitro_enclaves': '1',
                    'hugepages-2Mi': memory,
                    memory: '512Mi',
                    cpu: '250m',
                  },
                },
                // Where nitro-cli keeps its sockets and writes its log.
                volumeMounts: [
                  { name: 'run', mountPath: '/run/enclave' },
                  { name: 'run', mountPath: '/run/nitro_enclaves', subPath: 'sockets' },
                  { name: 'run', mountPath: '/var/log/nitro_enclaves', subPath: 'log' },
                  { name: 'hugepages', mountPath: '/dev/hugepages' },
                ],
              }),
              container('credentials', credentialsCommand, small),
              container(
                'proxy',
                ['enclavejs', 'proxy', '--config', '/etc/enclave/proxy.yaml', '--drain', '60'],
                {
                  ...small,
                  ports: [{ containerPort: 8443 }],
                  readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 5 },
                  volumeMounts: [
                    { name: 'run', mountPath: '/run/enclave' },
                    { name: 'proxy', mountPath: '/etc/enclave', readOnly: true },
                  ],
                },
              ),
            ],
            volumes: [
              { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
              { name: 'hugepages', emptyDir: { medium: 'HugePages-2Mi' } },
              { name: 'proxy', configMap: { name: 'enclave' } },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        ...metadata,
        annotations: {
          'service.beta.kubernetes.io/aws-load-balancer-type': 'nlb',
          'service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled': 'true',
        },
      },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        selector: labels,
        ports: [{ port: 443, targetPort: 8443, protocol: 'TCP' }],
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    },
  ]
}

/** What a node does at its start beside joining the cluster: it sets memory and cores aside for the enclave. */
export function nodeUserData(deployment: Deployment): string {
  const boundary = 'END-OF-PART'
  const script = [
    '#!/bin/bash',
    'set -euo pipefail',
    'dnf install -y aws-nitro-enclaves-cli',
    `cat > /etc/nitro_enclaves/allocator.yaml <<'END-OF-FILE'`,
    allocatorConfiguration(deployment).trimEnd(),
    'END-OF-FILE',
    'systemctl enable --now nitro-enclaves-allocator.service',
    // The kubelet counts huge pages when it starts.
    'systemctl try-restart kubelet',
  ].join('\n')
  return [
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/x-shellscript; charset="us-ascii"',
    '',
    script,
    `--${boundary}--`,
    '',
  ].join('\n')
}
