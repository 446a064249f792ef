import { EifError } from './error.ts'
import type { Json } from './metadata.ts'

/** What goes into the metadata section. Nothing of it is measured. */
export interface BuildMetadata {
  readonly imageName: string
  readonly imageVersion: string
  /** RFC 3339. Default `1970-01-01T00:00:00+00:00`, so that the same inputs give the same file. */
  readonly buildTime?: string
  readonly buildTool: string
  readonly buildToolVersion: string
  /** Default `Linux`. */
  readonly operatingSystem?: string
  readonly kernelVersion: string
  /** What `docker inspect` says of the container image, or null. */
  readonly dockerInfo?: Json
  /** At most 4096 bytes of JSON, as for nitro-cli. */
  readonly customMetadata?: Json
}

const MAX_CUSTOM = 4096
const MAX_METADATA = 1 << 20

/**
 * The metadata section in nitro-cli's form: compact JSON, its own fields in its order, keys of what is embedded sorted.
 *
 * @throws {EifError} `ERR_EIF_BUILD` when it is too large.
 */
export function encodeMetadata(metadata: BuildMetadata): Uint8Array {
  const custom = metadata.customMetadata ?? null
  const encoder = new TextEncoder()
  if (encoder.encode(JSON.stringify(custom)).length > MAX_CUSTOM) {
    throw new EifError('ERR_EIF_BUILD', `customMetadata has more than ${MAX_CUSTOM} bytes`)
  }
  const own = JSON.stringify({
    ImageName: metadata.imageName,
    ImageVersion: metadata.imageVersion,
    BuildMetadata: {
      BuildTime: metadata.buildTime ?? '1970-01-01T00:00:00+00:00',
      BuildTool: metadata.buildTool,
      BuildToolVersion: metadata.buildToolVersion,
      OperatingSystem: metadata.operatingSystem ?? 'Linux',
      KernelVersion: metadata.kernelVersion,
    },
  })
  const embedded = `"DockerInfo":${sorted(metadata.dockerInfo ?? null)},"CustomMetadata":${sorted(custom)}`
  const bytes = encoder.encode(`${own.slice(0, -1)},${embedded}}`)
  if (bytes.length > MAX_METADATA) {
    throw new EifError('ERR_EIF_BUILD', `The metadata has more than ${MAX_METADATA} bytes`)
  }
  return bytes
}

/** As serde_json writes a value: compact, keys in the order of their UTF-8, `10` before `9` as an object here would not. */
function sorted(json: Json): string {
  if (Array.isArray(json)) return `[${json.map((item: Json) => sorted(item)).join()}]`
  if (typeof json !== 'object' || json === null) return JSON.stringify(json) ?? 'null'
  const entries = Object.entries(json as Record<string, Json>)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, value]) => `${JSON.stringify(key)}:${sorted(value)}`)
  return `{${entries.join()}}`
}

/** By code points, which is the order of UTF-8. */
function compareText(a: string, b: string): number {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()]
  for (;;) {
    const [one, other] = [left.next().value, right.next().value]
    if (one !== other) return (one?.codePointAt(0) ?? -1) - (other?.codePointAt(0) ?? -1)
    if (one === undefined) return 0
  }
}
