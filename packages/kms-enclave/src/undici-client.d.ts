// The client alone: all of undici, with fetch and its kin, takes twice the memory. What the index adds to it is not there.
declare module 'undici/lib/dispatcher/client.js' {
  import type { Client } from 'undici'

  const BareClient: new (
    ...options: ConstructorParameters<typeof Client>
  ) => Pick<Client, 'dispatch' | 'destroy'>
  export default BareClient
}
