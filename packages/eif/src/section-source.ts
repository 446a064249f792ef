import { dataOffset, type EifSection } from './section.ts'
import type { EifSource } from './source.ts'

/** A part of a source as a source of its own. */
export function sliceSource(source: EifSource, offset: number, size: number): EifSource {
  return {
    size,
    ...(source.chunkSize !== undefined && { chunkSize: source.chunkSize }),
    read(at, buffer) {
      const length = Math.max(0, Math.min(buffer.length, size - at))
      if (length === 0) return Promise.resolve(0)
      return source.read(offset + at, buffer.subarray(0, length))
    },
  }
}

/** The data of one section of an image, as `describeImage` lists it. */
export function sectionSource(image: EifSource, section: EifSection): EifSource {
  return sliceSource(image, dataOffset(section), section.size)
}
