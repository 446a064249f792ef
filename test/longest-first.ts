import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes long: first what crosses packages, then the command's processes, native builds and whole sets of vectors. */
const LONG = [/^test\//, /^packages\/cli\//, /\/(?:native|real-documents|oracle)\.test\.ts$/]

function rank(file: string): number {
  const found = LONG.findIndex((pattern) => pattern.test(file))
  return found === -1 ? LONG.length : found
}

/** Begins with the long files, so that at the end no worker waits for one. A clone has no times of its own to go by. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const name = ({ moduleId, project }: TestSpecification): string =>
      moduleId.slice(project.config.root.length + 1)
    return files.toSorted(
      (a, b) =>
        rank(name(a)) - rank(name(b)) || (name(a) < name(b) ? -1 : Number(name(a) > name(b))),
    )
  }
}
