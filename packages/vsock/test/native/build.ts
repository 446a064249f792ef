import { fileURLToPath } from 'node:url'
import { Addon, type Built } from '../../../../test/native/addon.ts'

/** The package's folder. */
export const home: string = fileURLToPath(new URL('../..', import.meta.url))

/** With fake.c in the place of the system calls. */
export const addon: Addon = new Addon(home, 'socket.c=test/native/fake.c')

/** See {@link Addon.fake}. */
export function buildFake(flags: readonly string[] = []): Built {
  return addon.fake(flags)
}
