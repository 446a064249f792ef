// The pool alone: all of undici, with fetch and its kin, takes twice the memory. What the index adds to it is not there.
declare module 'undici/lib/dispatcher/pool.js' {
  import type { Pool } from 'undici'

  const BarePool: new (
    ...options: ConstructorParameters<typeof Pool>
  ) => Pick<Pool, 'dispatch' | 'destroy'>
  export default BarePool
}
