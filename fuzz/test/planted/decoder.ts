/** Refuses with RangeError, as it should, all but one kind of input, for which it fails in another way. */
export function decodePlanted(input: Uint8Array): number {
  if (input.length < 4) throw new RangeError('short')
  const [magic, version, count, ...rest] = input
  if (magic !== 0xd2) throw new RangeError('magic')
  if (version !== 0x84) throw new RangeError('version')
  if (count === undefined || count > rest.length) throw new RangeError('count')
  let sum = 0
  for (let index = 0; index < count; index++) sum += rest[index] as number
  if (count >= 3 && rest[0] === 0x44) {
    const table = new Map([[1, 'one']])
    // The planted bug: an entry that is not there.
    return (table.get(rest[1] as number) as string).length
  }
  return sum
}
