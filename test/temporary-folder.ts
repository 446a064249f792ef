// The temporary folder of one run of the tests, gone at its end: also what a test leaves behind that hangs, or that is killed.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let folder: string | undefined

/** Called by vitest before it starts its workers, which inherit the environment. The name is short: Unix sockets lie in it. */
export function setup(): void {
  folder = mkdtempSync(join(tmpdir(), 'ejs-'))
  // Workers of web servers, users of their own, reach sockets below it.
  chmodSync(folder, 0o711)
  process.env['TMPDIR'] = folder
}

export function teardown(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}
