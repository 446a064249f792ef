// Calls a server once with our client, below the roots it is told, and prints how that went. For a process with an environment of its own.
import { createKmsClient } from '../src/index.ts'
import { CREDENTIALS, dial, KEY_ARN } from './kms-server.ts'

const [port = '', root = ''] = process.argv.slice(2)
await using client = createKmsClient({
  keyArn: KEY_ARN,
  connect: dial(Number(port)),
  credentials: CREDENTIALS,
  getEvidence: async () => new Uint8Array(1),
  ...(root !== '' && { roots: [Buffer.from(root, 'base64').toString()] }),
  maxAttempts: 1,
})
try {
  await client.describeKey()
  console.log('answered')
} catch (error) {
  console.log((error as { code?: string }).code)
}
