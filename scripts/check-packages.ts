// Refuses a package that npm's users could not use as published: files that its exports name and its tarball lacks,
// types that resolve to nothing or to another module format, metadata that bundlers misread (publint, attw).
import { run, runTool, toolFile } from './step.ts'
import { inTemporaryFolder, pack } from './packed-package.ts'
import { entries } from './workspace-package.ts'

export function refusals(root: string): Promise<readonly string[]> {
  return inTemporaryFolder(async (folder) => {
    const found: string[] = []
    for (const one of await pack(root, folder)) {
      const { tarball } = one
      const say = (text: string): string => `packages/${one.folder}: ${text}`
      found.push(
        ...(await runTool(toolFile('publint'), ['run', '--strict', tarball], root)).map(say),
      )
      // A package without an entry is a command: nothing in it has types.
      if (entries(one).length === 0) continue
      const args = [toolFile('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only']
      const { status, stdout, stderr } = await run(
        process.execPath,
        [...args, '--no-emoji', '--no-color', '--format', 'ascii'],
        root,
      )
      if (status !== 0) found.push(say(`${stdout}${stderr}`.trim()))
    }
    return found
  })
}
