/** What a verifier is told when it judges a document. Byte strings in lower-case hex; nothing here is secret. */
export interface CorpusPolicy {
  /** The images that are accepted; the document must match one set in whole. Left out: any image. */
  readonly referenceValues?: readonly {
    readonly label?: string
    readonly pcrs: Readonly<Record<string, string>>
  }[]
  readonly acceptAnyImage?: boolean
  readonly allowDebugMode?: boolean
  /** Seconds. */
  readonly maxAge?: number
  /** Seconds by which the verifier's clock may be behind: for the timestamp and notBefore, never notAfter. Here 10 by default. */
  readonly clockTolerance?: number
  readonly nonce?: string
  readonly publicKey?: string
  readonly userData?: string
}

/** One document, and what a verifier has to say to it. */
export interface CorpusCase {
  /** `theme/what-is-wrong`, unique. */
  readonly name: string
  /** The one rule that decides. */
  readonly rule: string
  /** Where the rule stands. */
  readonly source: string
  /** Base64. */
  readonly document: string
  /** ISO 8601: the time at which it is judged. */
  readonly currentDate: string
  /** Base64 of the DER, where it is another than the corpus's; null: the verifier's built-in root of AWS. */
  readonly trustAnchor?: string | null
  readonly policy: CorpusPolicy
  /** `accept`, or the code of the refusal. */
  readonly expect: string
  /** The certificate that is to blame: `cabundle[0]` … or `certificate`. */
  readonly certificate?: string
  /** The PCR that is to blame. */
  readonly pcr?: number
}

/** Documents under a CA that was made for them, each refused by one rule alone or by none. */
export interface Corpus {
  readonly version: 1
  /** Base64 of the DER. */
  readonly trustAnchor: string
  readonly cases: readonly CorpusCase[]
}

/** A case before it is written down. */
export interface Draft {
  readonly name: string
  readonly rule: string
  readonly source: string
  readonly document: Uint8Array
  readonly expect: string
  readonly currentDate?: Date
  readonly trustAnchor?: Uint8Array | null
  readonly policy?: CorpusPolicy
  readonly certificate?: string
  readonly pcr?: number
}
