// For Node, Bun and Deno: prints each failure and the counts; status 0 when nothing failed.
import process from 'node:process'
import { run } from './suite.js'

const { passed, failed, real } = await run((line) => console.log(line))
console.log(`${passed} passed, ${failed} failed`)
console.log(`real documents: ${real.passed} passed, ${real.failures.length} failed`)
process.exitCode = failed === 0 && passed > 0 && real.failures.length === 0 ? 0 : 1
