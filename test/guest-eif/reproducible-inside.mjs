// The one program of a machine that builds images: says what machine this is, and builds as a user without rights.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, hostname, release } from 'node:os'

const { folder, command, user, builds } = JSON.parse(readFileSync('/build.json', 'utf8'))
const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions()
const [, umask] = /^Umask:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
const facts = {
  ...{ kernel: release(), host: hostname(), cpu: cpus()[0].model, cpus: availableParallelism() },
  ...{ filesystem: statfsSync(folder).type, user, umask, folder },
  ...{ year: new Date().getFullYear(), timeZone, locale },
}
console.log(`@facts ${JSON.stringify(facts)}`)

for (const flags of builds) {
  const output = '/tmp/image.eif'
  const args = [...command, folder, ...flags, '--output', output]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    ...{ encoding: 'utf8', uid: user, gid: user },
  })
  const pcrs = [...stdout.matchAll(/^PCR\d ([0-9a-f]{96})$/gm)].map(([, hex]) => hex)
  const image = createHash('sha256')
    .update(status === 0 ? readFileSync(output) : '')
    .digest('hex')
  console.log(status === 0 ? `@image ${JSON.stringify({ image, pcrs })}` : stderr)
}
console.log('@done')
