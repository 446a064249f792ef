/** Milliseconds between two drawings. */
const INTERVAL = 500

/** Seconds that something takes, on stderr, where a person watches; nothing anywhere else. */
export function waitingClock(what: string): {
  start(): void
  /** Before anything else is written. */
  clear(): void
  stop(): void
} {
  const stream = process.stderr
  let timer: NodeJS.Timeout | undefined
  let began = 0
  const clear = (): void => {
    if (timer !== undefined) stream.write('\r\u001b[K')
  }
  const draw = (): void => {
    stream.write(`\r\u001b[K${what} ${Math.round((performance.now() - began) / 1000)} s`)
  }
  return {
    start() {
      if (!stream.isTTY || timer !== undefined) return
      began = performance.now()
      timer = setInterval(draw, INTERVAL).unref()
    },
    clear,
    stop() {
      clear()
      clearInterval(timer)
      timer = undefined
    },
  }
}
