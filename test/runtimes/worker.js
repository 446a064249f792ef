// For `workerd test worker.capnp`.
import { run } from './suite.js'

export const conformance = {
  async test() {
    const { passed, failed } = await run((line) => console.log(line))
    console.log(`${passed} passed, ${failed} failed`)
    if (failed > 0 || passed === 0) throw new Error(`${failed} checks failed`)
  },
}
