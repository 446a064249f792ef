import { afterEach, expect, it } from 'vitest'
import { benchGuest } from '../../bench/vsock/guest.ts'

const given = process.env['NITRO_QEMU_DIR']
afterEach(() => {
  if (given === undefined) delete process.env['NITRO_QEMU_DIR']
  else process.env['NITRO_QEMU_DIR'] = given
})

it('says in one row why nothing was measured in a guest', async () => {
  process.env['NITRO_QEMU_DIR'] = import.meta.dirname
  const rows = await benchGuest({ milliseconds: 1, slices: 3 })
  expect(rows).toEqual([
    {
      row: 'guest-latency',
      value: undefined,
      unit: 'of C on vsock',
      note: expect.stringMatching(/^skipped: (?:no QEMU with an NSM device: |the guests are )/),
    },
  ])
})
