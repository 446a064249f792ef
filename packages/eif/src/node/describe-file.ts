import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describeImage, type DescribeImageOptions, type EifDescription } from '../describe.ts'
import { openFileSource } from './file-source.ts'

/** Options of {@link describeFile}: those of `describeImage` that Node does not settle itself. */
export type DescribeFileOptions = Omit<DescribeImageOptions, 'createHash' | 'crc32'>

/** SHA-384 of `node:crypto`, in the form that this package takes. */
export const createSha384 = (): ReturnType<typeof createHash> => createHash('sha384')

/**
 * Reads, measures and inspects an image file, with Node's SHA-384 and CRC-32. See `describeImage`.
 *
 * ```ts
 * import { describeFile } from '@enclavejs/eif/node'
 *
 * const { pcrs, warnings } = await describeFile('app.eif')
 * console.log(pcrs[0], warnings.map(({ code }) => code))
 * ```
 *
 * @throws {EifError} as `describeImage`, and `ERR_EIF_READ` when the file cannot be read.
 */
export async function describeFile(
  path: string,
  options: DescribeFileOptions = {},
): Promise<EifDescription> {
  await using source = await openFileSource(path)
  return await describeImage(source, { ...options, createHash: createSha384, crc32 })
}
