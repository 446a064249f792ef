import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Addon } from '../../../../test/native/addon.ts'
import type { TokenBinding } from '../../src/token/binding.ts'

/** The package's folder. */
export const home: string = fileURLToPath(new URL('../..', import.meta.url))

/** As it is: OpenSSL is Node's own. */
export const addon: Addon = new Addon(home)

/** With a key that writes one byte too many in the place of a key: shows that a sanitizer is awake. */
export const faulty: Addon = new Addon(home, 'key.c=test/native/faulty-key.c')

/** Loads an addon by its file. */
export function loadAddon(file: string): TokenBinding {
  return createRequire(import.meta.url)(file) as TokenBinding
}
