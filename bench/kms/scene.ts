/** What a client needs to speak to the KMS of `server.ts`. */
export interface Scene {
  readonly port: number
  readonly host: string
  readonly region: string
  readonly ca: string
  readonly keyArn: string
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken: string
  }
  /** The certificate authority of documents, for a simulated NSM in the client. */
  readonly authority: string
  readonly moduleId: string
}
