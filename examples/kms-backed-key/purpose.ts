/** What `user_data` of the document says the attested key is for; another protocol, or version, has another. */
export const PURPOSE = 'enclavejs-example-kms-backed-key:p256:v1'

/** First byte of a message. */
export const ATTEST = 0
export const ASK = 1
