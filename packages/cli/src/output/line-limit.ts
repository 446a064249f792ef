/** Passes on so many lines a second; how many more there were is said when the next second begins. */
export function lineLimit(most: number, print: (line: string) => void): (line: string) => void {
  let [second, lines] = [0, 0]
  return (line) => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) {
      if (lines > most) print(`${lines - most} more lines left out`)
      ;[second, lines] = [now, 0]
    }
    if (++lines <= most) print(line)
  }
}
