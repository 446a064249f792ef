import type { Client } from './client.ts'
import type { RpcReader } from './rpc-reader.ts'
import type { RpcWriter } from './rpc-writer.ts'

/** Reads the arguments of one call to their end, and writes the answer's. Throws {@link CryptokiError}. */
export type Answer = (client: Client, args: RpcReader, answer: RpcWriter) => void | Promise<void>

/** `fu` and `au`: as many numbers as there is room for; `room` 0 asks how many there are. */
export function writeNumbers(answer: RpcWriter, numbers: readonly number[], room: number): void {
  if (room < numbers.length) {
    answer.absent(numbers.length)
    return
  }
  answer.u8(1).u32(numbers.length)
  for (const number of numbers) answer.u64(number)
}
