// The one program of an image in which AF_VSOCK meets itself: runs suites one after the other, each in a process of its own.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

const [limit, stop, ...suites] = process.argv.slice(2)
writeFileSync('/proc/sys/net/core/somaxconn', '4096')
for (const suite of suites) {
  console.log(`@suite ${suite}`)
  const { status } = spawnSync(process.execPath, ['--expose-gc', `guest/inside/${suite}.js`], {
    env: { ...process.env, LIMIT: limit, STOP: stop },
    stdio: 'inherit',
  })
  console.log(`@status ${status}`)
}
