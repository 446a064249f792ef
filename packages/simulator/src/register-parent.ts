/**
 * `node --import @enclavejs/simulator/register/parent proxy.js` gives an unchanged program the
 * parent's end of the simulated vsock, which `@enclavejs/vsock` finds. Set
 * `ENCLAVEJS_SIMULATOR_DIR` to the same directory for both sides: there they meet.
 *
 * It refuses with `ERR_SIMULATOR_REAL_DEVICE` where `/dev/nsm` exists.
 *
 * @module
 */
import { registerParent } from './registration.ts'

registerParent()
