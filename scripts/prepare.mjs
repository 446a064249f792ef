// Builds every package and every native addon after `npm ci`. It is the root's own `prepare`, because npm hides the
// output of a workspace's `prepare` and removes node_modules when one fails.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `prepare: Node 22.19 or later is needed and this is ${process.version}. On Linux the repository brings its own ` +
      `(the optional dependency node-linux-${process.arch}); it is missing, so its download failed or it was omitted: ` +
      'run `npm ci` again, without --omit=optional.',
  )
  process.exit(1)
}

const packages = readdirSync(join(root, 'packages'))
const run = (arguments_, cwd) =>
  new Promise((resolve) => {
    let output = ''
    const child = spawn(process.execPath, arguments_, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (status) => resolve({ status, output }))
  })

async function build(name) {
  const started = performance.now()
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
  const { status, output } = await run([tsup, '--silent'], join(root, 'packages', name))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`prepare: ${name} ${status === 0 ? 'built' : 'FAILED'} in ${seconds} s`)
  if (status !== 0) console.error(output)
  return status === 0
}

async function buildNative(name) {
  const { status, output } = await run(['native/build.mjs'], join(root, 'packages', name))
  process.stdout.write(output.replace(/^(?=.)/gm, `prepare: ${name}: `))
  return status === 0
}

// Two at a time: a type bundler takes 500 MB and the smallest machines have two cores.
const queue = packages.filter((name) => existsSync(join(root, 'packages', name, 'tsup.config.ts')))
let good = true
const worker = async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift())
    good = (await build(name)) && good
}
await Promise.all([worker(), worker()])
for (const name of packages.filter((name) =>
  existsSync(join(root, 'packages', name, 'native/build.mjs')),
)) {
  good = (await buildNative(name)) && good
}
process.exit(good ? 0 : 1)
