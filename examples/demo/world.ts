import type { EifReferenceValues } from '@enclavejs/eif'
import { openCertificateAuthority, type CertificateAuthority } from '@enclavejs/simulator'
import { createSimulatedAcm, type SimulatedAcm } from '@enclavejs/simulator/acm'
import { createSimulatedImds, type SimulatedImds } from '@enclavejs/simulator/imds'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedAccount,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { AwsCaller } from './aws-caller.ts'
import { Browser } from './browser.ts'
import { bootPcrs, type Image } from './image.ts'
import { Program } from './program.ts'

const ENCLAVE_SIDE = import.meta.resolve('@enclavejs/simulator/register')
const PARENT_SIDE = import.meta.resolve('@enclavejs/simulator/register/parent')
export const BUCKET = 'shop-certificates'
export const HOST_NAME = 'shop.example.com'

/** A parent that runs, and its TCP ports by what they lead to. */
export interface RunningParent {
  readonly program: Program
  readonly ports: Readonly<Record<string, number>>
}

/**
 * What stands around the enclave. Simulated: the root of attestation, an account with an instance role and an operator, KMS with
 * one key, S3 with one bucket, a CA, and IMDS. Parent and enclaves are processes; they meet in `folder`.
 */
export class World implements AsyncDisposable {
  readonly folder: string
  readonly authority: CertificateAuthority
  readonly account: SimulatedAccount
  readonly imds: SimulatedImds
  readonly kms: SimulatedKms
  /** S3, and the CA that certificates come from. */
  readonly acm: SimulatedAcm
  readonly keyArn: string
  /** The role of the parent instance. */
  readonly role: string
  /** The operator's role. */
  readonly administrator: string
  readonly operator: AwsCaller
  readonly #open = new AsyncDisposableStack()

  private constructor(
    folder: string,
    authority: CertificateAuthority,
    account: SimulatedAccount,
    imds: SimulatedImds,
    kms: SimulatedKms,
    acm: SimulatedAcm,
    keyArn: string,
  ) {
    this.folder = folder
    this.authority = authority
    this.account = account
    this.imds = this.#open.use(imds)
    this.kms = this.#open.use(kms)
    this.acm = this.#open.use(acm)
    this.keyArn = keyArn
    this.role = imds.credentials().principalArn
    const operator = account.issueCredentials({ role: 'operator' })
    this.administrator = operator.principalArn
    this.operator = this.#open.use(new AwsCaller(kms, keyArn, operator))
  }

  static async open(folder: string): Promise<World> {
    const authority = await openCertificateAuthority(folder)
    const account = createSimulatedAccount()
    const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
    const imds = await createSimulatedImds({ account, role: 'enclave' })
    const kms = await createSimulatedKms({
      accounts: [account, serviceAccount],
      attestationRoots: [authority.trustAnchor],
      minVersion: 'TLSv1.3',
    })
    const { arn } = await kms.createKey()
    const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
    acm.createBucket(BUCKET)
    return new World(folder, authority, account, imds, kms, acm, arn)
  }

  /** Somebody with the credentials of the parent's role. */
  callerOfRole(): AwsCaller {
    return new AwsCaller(this.kms, this.keyArn, this.imds.credentials())
  }

  /** Runs an image as an enclave with this CID: its program, with its arguments and what the image measures to. */
  async boot(cid: number, image: Image): Promise<Program> {
    const { program } = await Program.start(ENCLAVE_SIDE, './enclave/main.ts', image.args, {
      ENCLAVEJS_SIMULATOR_DIR: this.folder,
      ENCLAVEJS_SIMULATOR_CID: String(cid),
      ENCLAVEJS_SIMULATOR_PCRS: bootPcrs(image),
      ENCLAVEJS_SIMULATOR_ROLE_ARN: this.role,
    })
    return this.#open.use(program)
  }

  /** Opens a browser, whose page accepts one image. */
  async openBrowser(referenceValues: EifReferenceValues): Promise<Browser> {
    const browser = await Browser.open(referenceValues, this.authority.trustAnchor)
    this.#open.use(browser.program)
    return browser
  }

  /** Starts a program of the parent with the ports of KMS and S3 and further arguments. */
  async startParent(file: string, ...args: readonly string[]): Promise<RunningParent> {
    const ports = [this.kms, this.acm].map((one) => (one.address() as { port: number }).port)
    const given = [...ports.map(String), ...args]
    const { program, line } = await Program.start(PARENT_SIDE, file, given, {
      ENCLAVEJS_SIMULATOR_DIR: this.folder,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: this.imds.url,
    })
    this.#open.use(program)
    return { program, ports: JSON.parse(line) as RunningParent['ports'] }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync()
  }
}
