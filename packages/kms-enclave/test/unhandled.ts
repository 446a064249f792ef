import { setTimeout as sleep } from 'node:timers/promises'

/** What was rejected and belonged to nobody while `use` ran, and for a moment after. */
export async function unhandledDuring(use: () => Promise<unknown>): Promise<readonly unknown[]> {
  const unhandled: unknown[] = []
  const heard = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', heard)
  try {
    await use()
    await sleep(50)
  } finally {
    process.off('unhandledRejection', heard)
  }
  return unhandled
}
