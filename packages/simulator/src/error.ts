/** Why the simulator refused. Match `code`, not the message. */
export type SimulatorErrorCode =
  /** The directory of a saved authority is missing, unreadable or not written by this version. */
  | 'ERR_SIMULATOR_DIRECTORY'
  /** `register` was loaded where a real `/dev/nsm` exists. */
  | 'ERR_SIMULATOR_REAL_DEVICE'
  /** `register` found the global property of the simulator already taken by something else. */
  | 'ERR_SIMULATOR_REGISTERED'
  /** An environment variable of the simulator holds a value that it does not understand. */
  | 'ERR_SIMULATOR_ENVIRONMENT'
  /** Another process listens at a port of the simulated parent. */
  | 'ERR_SIMULATOR_VSOCK_PORT'

/** What the simulator throws; a caller's own mistakes are `TypeError` and `RangeError`. */
export class SimulatorError extends Error {
  override readonly name = 'SimulatorError'
  readonly code: SimulatorErrorCode

  constructor(code: SimulatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
