import type { Leaf } from './certification-path.ts'

/** Where a simulated NSM gets its certificates from; a `CertificateAuthority` is one. */
export interface LeafIssuer {
  readonly moduleId: string
  issueLeaf(moduleId: string): Leaf
  now(): Date
}

/** Options of `createSimulatedNsm`. */
export interface SimulatedNsmOptions {
  readonly certificateAuthority: LeafIssuer
  /** `i-…-enc…`. Default: that of the authority. */
  readonly moduleId?: string
  /** The parent instance, in PCR4 and in the module id. Default: that of the module id. */
  readonly instanceId?: string
  /** The IAM role of the parent, in PCR3. Default: none, PCR3 is zero. */
  readonly roleArn?: string
  /** PCR0, 1 and 2 are made from it, always the same from the same name. Default `enclavejs`. */
  readonly imageName?: string
  /** PCRs at boot, 48 bytes each; they win over what the other options give. */
  readonly pcrs?: Readonly<Record<number, Uint8Array>>
  /** A debug enclave: PCR0, 1, 2 and 8 are zero. PCR3 and PCR4 stay, as on Nitro. Default false. */
  readonly debugMode?: boolean
  /**
   * All PCRs zero and unlocked, as QEMU's device is outside its `nitro-enclave` machine; `pcrs` alone
   * is still obeyed. Default false: PCR0 to 15 are locked.
   */
  readonly blank?: boolean
  /**
   * Holds requests to the bounds in AWS's text, which the hardware does not: public_key 1 to 1024
   * bytes, user_data and nonce up to 512. Default false: whatever fits into 4096 bytes.
   */
  readonly strictSizes?: boolean
  /** Milliseconds that an exchange takes. Default 0. */
  readonly delayMs?: number
  /** Documents with a payload map of definite length, as before August 2025. Default false. */
  readonly definitePayload?: boolean
  /** The clock in documents. Default: that of the authority. */
  readonly now?: () => Date
  /** The PCRs of another thread's device, as they are: `pcrs` and what makes them is not applied. */
  readonly sharedPcrs?: SharedArrayBuffer
}
