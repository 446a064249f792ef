// For Node, Bun and Deno: prints each failure and the counts; status 0 when nothing failed.
import process from 'node:process'
import { run } from './suite.js'

const { passed, failed } = await run((line) => console.log(line))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
