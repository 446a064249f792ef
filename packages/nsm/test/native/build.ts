import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Addon, type Built } from '../../../../test/native/addon.ts'
import type { NsmBinding } from '../../src/binding.ts'

/** The package's folder. */
export const home: string = fileURLToPath(new URL('../..', import.meta.url))

/** With the fake device of fake.c in the place of the ioctl: a path of the form `fake:BEHAVIOUR` opens it. */
export const addon: Addon = new Addon(home, 'ioctl.c=test/native/fake.c')

/** See {@link Addon.fake}. */
export function buildFake(flags: readonly string[] = []): Built {
  return addon.fake(flags)
}

/** Loads an addon by its file. */
export function loadAddon(file: string): NsmBinding {
  return createRequire(import.meta.url)(file) as NsmBinding
}
