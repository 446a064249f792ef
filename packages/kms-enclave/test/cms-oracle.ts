import { ContentInfo, EnvelopedData, type KeyTransRecipientInfo } from 'pkijs'

/** What pkijs reads out of a message. */
export interface OracleFields {
  readonly recipients: number
  readonly encryptedKey: Uint8Array
  readonly encryptedContent: Uint8Array
}

export function readWithPkijs(message: Uint8Array): OracleFields {
  const contentInfo = ContentInfo.fromBER(message)
  const { recipientInfos, encryptedContentInfo } = new EnvelopedData({
    schema: contentInfo.content,
  })
  const info = recipientInfos[0]?.value as KeyTransRecipientInfo
  return {
    recipients: recipientInfos.length,
    encryptedKey: info.encryptedKey.valueBlock.valueHexView,
    encryptedContent: new Uint8Array(encryptedContentInfo.getEncryptedContent()),
  }
}
