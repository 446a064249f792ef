/** Why something that was given cannot be looked at. */
export type InspectorErrorCode =
  /** More bytes than a document can have, in any of its forms. */
  | 'ERR_INSPECTOR_SIZE'
  /** Neither a binary document nor base64 nor hex. */
  | 'ERR_INSPECTOR_ENCODING'
  /** The address cannot be asked: wrong, unreachable, too slow, or without leave for other pages. */
  | 'ERR_INSPECTOR_FETCH'
  /** A file that the browser could not read. */
  | 'ERR_INSPECTOR_READ'
  /** A trust anchor that is no certificate in PEM. */
  | 'ERR_INSPECTOR_TRUST_ANCHOR'

/** The page's own refusal, before a package of ours was asked. */
export class InspectorError extends Error {
  readonly code: InspectorErrorCode

  constructor(code: InspectorErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'InspectorError'
    this.code = code
  }
}
