// The native parts of the installed packages, from where npm put them: each addon is asked for something that only it can do, and
// the process says what it has loaded.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import process from 'node:process'
import { createToken } from '@enclavejs/acm-enclave/token'
import { ownInit } from '@enclavejs/eif/node'
import { openNsm } from '@enclavejs/nsm'
import { getLocalCid } from '@enclavejs/vsock'

// A device that is none: the ioctl is made, and refused.
const nsm = openNsm({ path: '/dev/null' })
await assert.rejects(nsm.describeNsm(), { code: 'ERR_NSM_IOCTL' })
await nsm.close()

// Where the kernel has no vsock it is the kernel that says so.
try {
  assert.equal(typeof getLocalCid(), 'number')
} catch (error) {
  assert.match(error.code, /^E[A-Z]+$/)
}

const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
const pem = execFileSync('openssl', [...request, '-keyout', '-', '-subj', '/CN=enclave'], {
  ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
})
const [privateKey, certificate] = pem.match(/-----BEGIN [^]*?-----END [A-Z ]+-----/g)
const key = { id: Uint8Array.of(1), label: 'one', privateKey, certificate }
createToken({ label: 'token', pin: '0123456789', keys: [key] }).close()

const { sharedObjects } = process.report.getReport()
for (const name of ['nsm', 'vsock', 'acm-enclave']) {
  const file = `/node_modules/@enclavejs/${name}/prebuilds/linux-${process.arch}.node`
  assert.ok(
    sharedObjects.some((one) => one.endsWith(file)),
    `${file} is not loaded`,
  )
}
for (const architecture of ['x86_64', 'aarch64']) accessSync(ownInit(architecture), constants.X_OK)
console.log('loaded 3 addons, found 2 inits')
