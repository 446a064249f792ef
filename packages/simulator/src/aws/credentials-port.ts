import type { Socket } from 'node:net'
import type { SimulatedCredentials } from '../kms/account.ts'

const QUESTION_MAX = 1024
const TIMEOUT = 5000

/**
 * Answers one question for credentials, as `enclavejs credentials serve` does: a line of JSON each way. `refresh`
 * asks for a set that was not given before.
 */
export function answerCredentials(
  socket: Socket,
  give: (refresh: boolean) => SimulatedCredentials,
): void {
  let text = ''
  socket.setTimeout(TIMEOUT, () => socket.destroy())
  socket.setEncoding('latin1')
  socket.on('data', (piece: string) => {
    text += piece
    const end = text.indexOf('\n')
    if (end === -1 && text.length <= QUESTION_MAX) return
    const refresh = end === -1 ? undefined : readQuestion(text.slice(0, end))
    if (refresh === undefined) {
      socket.destroy()
      return
    }
    socket.removeAllListeners('data')
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = give(refresh)
    const credentials = { accessKeyId, secretAccessKey, sessionToken, expiration }
    socket.end(`${JSON.stringify({ version: 1, credentials })}\n`)
  })
}

function readQuestion(line: string): boolean | undefined {
  try {
    const question = JSON.parse(line) as Record<string, unknown> | null
    const { enclavejs, version, refresh } = question ?? {}
    const isQuestion = enclavejs === 'credentials' && version === 1 && typeof refresh === 'boolean'
    return isQuestion ? refresh : undefined
  } catch {
    return undefined
  }
}
