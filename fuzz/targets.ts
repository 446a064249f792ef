import { isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FuzzTarget } from './target.ts'

interface TargetModule {
  readonly target: FuzzTarget
}

/** A target that has a name. */
interface NamedTarget {
  /** Folders whose branches count. They are instrumented before the module is loaded. */
  readonly sources: readonly string[]
  readonly load: () => Promise<TargetModule>
}

export const TARGETS: Readonly<Record<string, NamedTarget>> = {
  'acm-bundle': {
    sources: ['packages/acm-enclave/src'],
    load: () => import('./targets/acm-bundle.ts'),
  },
  'acm-certificate': {
    sources: ['packages/acm-enclave/src'],
    load: () => import('./targets/acm-certificate.ts'),
  },
  cbor: { sources: ['packages/cbor/src'], load: () => import('./targets/cbor.ts') },
  der: { sources: ['packages/der/src'], load: () => import('./targets/der.ts') },
  attestation: {
    sources: ['packages/attestation/src', 'packages/cbor/src', 'packages/der/src'],
    load: () => import('./targets/attestation.ts'),
  },
  eif: {
    sources: ['packages/eif/src', 'packages/cbor/src', 'packages/der/src'],
    load: () => import('./targets/eif.ts'),
  },
  'kms-cms': {
    sources: ['packages/kms-enclave/src/cms'],
    load: () => import('./targets/kms-cms.ts'),
  },
  envelope: {
    sources: ['packages/kms-enclave/src/envelope'],
    load: () => import('./targets/kms-envelope.ts'),
  },
  'p11-rpc': {
    sources: ['packages/acm-enclave/src/token'],
    load: () => import('./targets/p11-rpc.ts'),
  },
  'vsock-frame': {
    sources: ['packages/vsock/src'],
    load: () => import('./targets/vsock-frame.ts'),
  },
}

/** A target by its name, or by the path of a module that exports one. */
export async function loadTarget(name: string): Promise<FuzzTarget> {
  const known = TARGETS[name]
  if (known !== undefined) return (await known.load()).target
  const path = isAbsolute(name) ? name : join(process.cwd(), name)
  return ((await import(pathToFileURL(path).href)) as TargetModule).target
}
