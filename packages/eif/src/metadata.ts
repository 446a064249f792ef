import type { Findings } from './finding.ts'

/** A JSON value. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** The metadata section. Nothing of it is measured or signed: it says what whoever wrote the file wanted it to say. */
export interface UnverifiedMetadata {
  readonly imageName: string | undefined
  readonly imageVersion: string | undefined
  readonly buildTime: string | undefined
  readonly buildTool: string | undefined
  readonly buildToolVersion: string | undefined
  readonly operatingSystem: string | undefined
  readonly kernelVersion: string | undefined
  readonly dockerInfo: Json | undefined
  readonly customMetadata: Json | undefined
  /** Everything, as it was parsed. */
  readonly json: { readonly [key: string]: Json }
}

/** Reads the section as JSON; anything else is a finding. */
export function inspectMetadata(
  bytes: Uint8Array,
  size: number,
  findings: Findings,
): UnverifiedMetadata | undefined {
  if (size > bytes.length) {
    findings.warn(
      'metadata-unreadable',
      `The metadata has ${size} bytes, and only ${bytes.length} are looked at`,
    )
    return undefined
  }
  let json: Json
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json
  } catch {
    findings.warn('metadata-unreadable', 'The metadata is not JSON in UTF-8')
    return undefined
  }
  if (!isObject(json)) {
    findings.warn('metadata-unreadable', 'The metadata is JSON, but no object')
    return undefined
  }
  const build = isObject(json['BuildMetadata']) ? json['BuildMetadata'] : {}
  return {
    imageName: text(json['ImageName']),
    imageVersion: text(json['ImageVersion']),
    buildTime: text(build['BuildTime']),
    buildTool: text(build['BuildTool']),
    buildToolVersion: text(build['BuildToolVersion']),
    operatingSystem: text(build['OperatingSystem']),
    kernelVersion: text(build['KernelVersion']),
    dockerInfo: json['DockerInfo'],
    customMetadata: json['CustomMetadata'],
    json,
  }
}

function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function text(json: Json | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined
}
