import type { Arguments } from './arguments.ts'
import { usage } from './error.ts'

/** @throws {CliError} `ERR_CLI_USAGE` where the flag is missing */
export function required(given: Arguments, flag: string): string {
  const value = given.value(flag)
  if (value === undefined) throw usage(`--${flag} is missing`)
  return value
}

/** The names of options are those of flags, but for four. */
const FLAG_OF: readonly (readonly [RegExp, string])[] = [
  [/^key must/, '--object must'],
  [/^keyArn/, '--key'],
  [/^expectedBucketOwner/, '--owner'],
  [/^hostNames/, '--host'],
  [/^keyAlgorithm/, '--key-algorithm'],
  [/^certificateArn/, '--certificate'],
  [/^roleArn/, '--role'],
  [/^(bucket|region|arn|roots)\b/, '--$1'],
]

/** What the package takes for its caller's mistake is one of who typed the flags. */
export function wrongUse<T>(action: () => T): T {
  const mapped = (error: unknown): never => {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    let message = error.message
    for (const [pattern, flag] of FLAG_OF) message = message.replace(pattern, flag)
    throw usage(message, { cause: error })
  }
  try {
    const result = action()
    return result instanceof Promise ? (result.catch(mapped) as T) : result
  } catch (error) {
    return mapped(error)
  }
}
