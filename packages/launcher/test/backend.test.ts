import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runEnclave, type RunOptions } from '../src/index.ts'
import { chooseBackend } from '../src/backend.ts'
import { Host } from '../src/surroundings.ts'
import { listening, Stand } from './stand.ts'

let stand: Stand
beforeEach(() => void (stand = new Stand()))
afterEach(() => stand.remove())

/** Programs that say what QEMU and vhost-device-vsock say, and start nothing. */
function fakeQemu(machines = 'microvm  microvm (i386)\nnitro-enclave  AWS Nitro Enclave\n'): void {
  stand.program(
    'qemu-system-x86_64',
    `[ "$2" = help ] && printf '${machines}' && exit 0; echo 'no such image' >&2; exit 1`,
  )
  stand.program('vhost-device-vsock', 'exit 3')
}

const choose = (
  what: 'image' | 'program',
  wanted?: RunOptions['backend'],
): ReturnType<typeof chooseBackend> => chooseBackend(new Host(stand.surroundings), what, wanted)

describe('the backend', () => {
  it('of an image is nitro-cli on an enclave-enabled instance, even where there is a QEMU', async () => {
    fakeQemu()
    stand.nitro()
    expect(await choose('image')).toMatchObject({
      ...{ kind: 'nitro-cli', command: join(stand.folder, 'bin/nitro-cli') },
      reason: '/dev/nitro_enclaves is here',
    })
    expect(await choose('image', 'qemu')).toMatchObject({ kind: 'qemu', reason: 'asked for' })
  })

  it('of an image is a QEMU that has the machine elsewhere, and it says why', async () => {
    fakeQemu()
    const { kind, reason } = await choose('image')
    expect(kind).toBe('qemu')
    expect(reason).toContain('no /dev/nitro_enclaves')
  })

  it('is QEMU of NITRO_QEMU_DIR before that of the PATH', async () => {
    fakeQemu('microvm  microvm\n')
    const own = new Stand()
    own.program('qemu-system-x86_64', `printf 'nitro-enclave  AWS Nitro Enclave\n'`)
    own.program('vhost-device-vsock', 'exit 3')
    stand.env['NITRO_QEMU_DIR'] = own.folder
    expect(await choose('image')).toMatchObject({
      qemu: {
        system: join(own.folder, 'bin/qemu-system-x86_64'),
        firmware: join(own.folder, 'share'),
      },
    })
    own.remove()
  })

  it('of a program is the simulator', async () => {
    fakeQemu()
    expect(await choose('program')).toMatchObject({ kind: 'simulator' })
  })

  it.each<[string, () => void, 'image' | 'program', RunOptions['backend'], RegExp]>([
    [
      'nothing is there',
      () => undefined,
      'image',
      undefined,
      /nitro-cli: no \/dev.*qemu: no qemu-system.*simulator: give the program/,
    ],
    [
      'nitro-cli is asked for and there is no device',
      () => undefined,
      'image',
      'nitro-cli',
      /no \/dev\/nitro_enclaves/,
    ],
    [
      'there is a device and no nitro-cli',
      () => stand.put('/dev/nitro_enclaves', ''),
      'image',
      'nitro-cli',
      /no nitro-cli on the PATH/,
    ],
    [
      'QEMU has no such machine',
      () => fakeQemu('microvm  microvm\n'),
      'image',
      'qemu',
      /has no nitro-enclave machine/,
    ],
    [
      'QEMU has no vsock',
      () => {
        fakeQemu()
        writeFileSync(join(stand.folder, 'bin/vhost-device-vsock'), '')
        stand.env['PATH'] = `${join(stand.folder, 'bin')}`
        stand.env['NITRO_QEMU_DIR'] = '/nonexistent'
      },
      'image',
      'qemu',
      /\/nonexistent\/bin\/qemu-system-x86_64 cannot be run/,
    ],
    ['a program is given to QEMU', fakeQemu, 'program', 'qemu', /build one with enclavejs build/],
    ['an image is given to the simulator', fakeQemu, 'image', 'simulator', /not an image/],
    [
      'a program is given to an instance',
      () => void stand.nitro(),
      'program',
      undefined,
      /--backend simulator/,
    ],
  ])('is refused where %s', async (_, prepare, what, wanted, message) => {
    prepare()
    await expect(choose(what, wanted)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_BACKEND',
      message: expect.stringMatching(message) as string,
    })
  })

  it('simulator is taken on an instance when it is asked for', async () => {
    stand.nitro()
    expect(await choose('program', 'simulator')).toMatchObject({ kind: 'simulator' })
  })
})

describe('QEMU', () => {
  it('whose vhost-device-vsock ends is refused', async () => {
    fakeQemu()
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_START',
    })
  })

  it('that does not start the image is refused with its words', async () => {
    fakeQemu()
    stand.program('vhost-device-vsock', ': > "$4"; exec /bin/sleep 100')
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ENDED',
      message: expect.stringContaining('exit status 1 (no such image)') as string,
    })
  })
})

describe('runEnclave', () => {
  it.each<[RunOptions, RegExp]>([
    [{ name: '../x' }, /^name/],
    [{ name: '' }, /^name/],
    [{ memoryMib: 63 }, /^memoryMib/],
    [{ cpus: 0 }, /^cpus/],
    [{ cid: 3 }, /^cid/],
    [{ readyPort: -1 }, /^readyPort/],
    [{ attestPort: 1.5 }, /^attestPort/],
    [{ timeout: 0 }, /^timeout/],
    [{ role: 'arn:aws:iam::1:role/x,vsock=d' }, /^role/],
    [{ backend: 'docker' as never }, /^backend/],
    [{ debug: true } as never, /^debug is not an option/],
  ])('refuses %o', async (options, message) => {
    await expect(runEnclave('app.eif', options)).rejects.toThrow(message)
  })

  it.each([
    [{ publish: [{ port: 70_000, to: 1 }] }],
    [{ publish: [{ port: 1, to: 1, host: 'localhost' }] }],
    [{ allow: [{ host: 'a b', port: 1 }] }],
    [{ outbound: [{ listen: 8000, host: '', port: 443 }] }],
  ])('refuses the doors %j before anything else', async (doors) => {
    await expect(runEnclave('app.eif', doors)).rejects.toMatchObject({
      code: 'ERR_VSOCK_PROXY_CONFIG',
    })
  })

  it('refuses what is no image, and what is not there', async () => {
    const { options } = listening(stand)
    const none = runEnclave(join(stand.folder, 'none.eif'), options)
    await expect(none).rejects.toMatchObject({ code: 'ERR_LAUNCHER_IMAGE' })
    stand.nitro()
    const path = join(stand.folder, 'text.eif')
    writeFileSync(path, 'text')
    await expect(runEnclave(path, options)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_EIF_/) as string,
    })
    await expect(runEnclave(`${stand.folder}/none.mjs`, options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_BACKEND',
    })
    const program = runEnclave(stand.folder, { ...options, backend: 'simulator' })
    await expect(program).rejects.toMatchObject({ code: 'ERR_LAUNCHER_IMAGE' })
  })

  it('refuses an image that changes while it is started', async () => {
    stand.nitro()
    const image = await stand.image()
    const { options } = listening(stand, {
      onEvent: ({ type }) => type === 'starting' && writeFileSync(image, 'another'),
    })
    await expect(runEnclave(image, options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_IMAGE',
      message: expect.stringContaining('changed while it was started') as string,
    })
  })
})
