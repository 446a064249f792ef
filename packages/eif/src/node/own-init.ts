import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EifError } from '../error.ts'
import type { EifArchitecture } from '../header.ts'

const FILES: Readonly<Record<EifArchitecture, string>> = {
  x86_64: 'init-linux-x64',
  aarch64: 'init-linux-arm64',
}

/**
 * The path of the init that comes with this package, a static program for images of the mode `oci`.
 *
 * @throws {EifError} `ERR_EIF_BUILD` where it was not built: `native/build.mjs` makes it, with a C compiler.
 */
export function ownInit(architecture: EifArchitecture = 'x86_64'): string {
  // Beside dist/ in the package, two levels up in the sources.
  for (const folder of ['../prebuilds/', '../../prebuilds/']) {
    const path = fileURLToPath(new URL(folder + FILES[architecture], import.meta.url))
    if (existsSync(path)) return path
  }
  throw new EifError(
    'ERR_EIF_BUILD',
    `This installation has no init for ${architecture}: build it with native/build.mjs, or give one by its path`,
  )
}
