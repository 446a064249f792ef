/** Resolves with the first signal that ends a program: SIGTERM or SIGINT. */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    const names = ['SIGTERM', 'SIGINT'] as const
    const take = (name: string): void => {
      for (const one of names) process.off(one, take)
      resolve(name)
    }
    for (const name of names) process.on(name, take)
  })
}
