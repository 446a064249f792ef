// How a program in the guest talks to the host: lines on the console, one a result.

/** Runs one check and says how it went. A check that throws has failed; one that returns text says something more. */
export async function check(name: string, run: () => unknown): Promise<void> {
  try {
    const note = await run()
    console.log(`@ok ${name}${typeof note === 'string' ? ` (${note})` : ''}`)
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    console.log(`@fail ${name}: ${message.split('\n').slice(0, 6).join(' | ')}`)
  }
}

/** Hands bytes to the host. */
export function give(name: string, bytes: Uint8Array): void {
  console.log(`@data ${name}\t${Buffer.from(bytes).toString('base64')}`)
}

/** Says something that is no result: a measurement. */
export function note(text: string): void {
  console.log(`@note ${text}`)
}

/** The last line: without it the host knows that the program did not come to its end. */
export function done(): void {
  console.log('@done')
}
