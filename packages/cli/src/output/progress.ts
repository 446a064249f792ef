const WIDTH = 30
/** Redrawn at most so often, in milliseconds. */
const INTERVAL = 100

/** A bar on stderr while a large file is read, where a person watches; nothing anywhere else. */
export function progressBar(): {
  show(progress: { readonly done: number; readonly total: number }): void
  end(): void
} {
  const stream = process.stderr
  let last = 0
  let shown = false
  return {
    show({ done, total }) {
      const now = performance.now()
      if (!stream.isTTY || now - last < INTERVAL) return
      last = now
      shown = true
      const filled = Math.round((WIDTH * done) / Math.max(total, 1))
      const bar = '#'.repeat(filled).padEnd(WIDTH, '.')
      stream.write(`\r[${bar}] ${Math.round(done / 1e6)} of ${Math.round(total / 1e6)} MB`)
    },
    end() {
      if (shown) stream.write('\r\u001b[K')
    },
  }
}
