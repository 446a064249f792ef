// The simulator's KMS in a process of its own. Its first line says, as JSON, what a client needs; it ends with its stdin.
import {
  createCertificateAuthority,
  createSimulatedNsm,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import type { Scene } from './scene.ts'

const authority: CertificateAuthority = await createCertificateAuthority()
const account = createSimulatedAccount()
const credentials = account.issueCredentials({ role: 'bench' })
const kms = await createSimulatedKms({
  accounts: [account],
  attestationRoots: [authority.trustAnchor],
  minVersion: 'TLSv1.3',
  recordLimit: 0,
})
const nsm = createSimulatedNsm({ certificateAuthority: authority })
authority.issueLeaf(nsm.moduleId)
const { arn } = await kms.createKey()
const address = kms.address() as { port: number }
const scene: Scene = {
  port: address.port,
  host: kms.hostNames[0] as string,
  region: kms.region,
  ca: kms.ca,
  keyArn: arn,
  credentials: {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    sessionToken: credentials.sessionToken as string,
  },
  authority: authority.export(),
  moduleId: nsm.moduleId,
}
console.log(JSON.stringify(scene))
process.stdin.resume().once('end', () => void kms.close().then(() => process.exit(0)))
