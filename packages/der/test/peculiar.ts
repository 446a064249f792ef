/**
 * `@peculiar/x509` wants decorator metadata of the platform before it is loaded. It asks for no more than this, for its
 * own classes.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>()
const own = (target: object): Map<unknown, unknown> => {
  let map = metadata.get(target)
  if (map === undefined) metadata.set(target, (map = new Map()))
  return map
}
Object.assign(Reflect, {
  defineMetadata: (key: unknown, value: unknown, target: object) =>
    void own(target).set(key, value),
  getOwnMetadata: (key: unknown, target: object) => own(target).get(key),
  hasOwnMetadata: (key: unknown, target: object) => own(target).has(key),
  getMetadata(key: unknown, target: object | null): unknown {
    for (let at = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
      if (own(at).has(key)) return own(at).get(key)
    }
    return undefined
  },
})

export const peculiar: typeof import('@peculiar/x509') = await import('@peculiar/x509')
