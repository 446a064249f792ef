/**
 * `node --import @enclavejs/simulator/register app.js` gives an unchanged program a simulated
 * Nitro Secure Module, which `openNsm` of `@enclavejs/nsm` finds.
 *
 * It refuses with `ERR_SIMULATOR_REAL_DEVICE` where `/dev/nsm` exists.
 *
 * @module
 */
import { registerSimulator } from './registration.ts'

await registerSimulator()
