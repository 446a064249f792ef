// For `workerd test worker.capnp`.
import { run } from './suite.js'

export const conformance = {
  async test() {
    const { passed, failed, real } = await run((line) => console.log(line))
    console.log(`${passed} passed, ${failed} failed`)
    console.log(`real documents: ${real.passed} passed, ${real.failures.length} failed`)
    if (failed > 0 || passed === 0) throw new Error(`${failed} checks failed`)
    if (real.failures.length > 0) throw new Error(`${real.failures.length} real documents failed`)
  },
}
