// Builds the site: the guide as it stands, the packages' READMEs, every error code, and the API reference of typedoc. It
// refuses a link to nowhere, and documentation that names what does not exist.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Application } from 'typedoc'
import type { PluginOptions } from 'typedoc-plugin-markdown'
import { build } from 'vitepress'
import { writeErrorsPage } from './errors-page.ts'

interface Manifest {
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

const folder = import.meta.dirname
const root = join(folder, '..')
const manifests = new Map(
  readdirSync(join(root, 'packages')).map((name) => [
    name,
    JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest,
  ]),
)
const published = [...manifests].flatMap(([name, manifest]) => (manifest.private ? [] : [name]))

/** The sources behind the doors of a package. */
function doors(name: string): string[] {
  return Object.values(manifests.get(name)?.exports ?? {}).flatMap((door) => {
    const source = typeof door === 'string' ? undefined : door['@enclavejs/source']
    return source?.endsWith('.ts') === true ? [join(root, 'packages', name, source)] : []
  })
}

/** Links of a page of the repository as links of the site; what is not part of it becomes plain text. */
function relink(text: string, packages: string): string {
  return text.replace(
    /\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)/g,
    (_link, label: string, target: string) => {
      const [path = '', anchor] = target.split('#')
      const page = /(?:^|\/)([a-z-]+)\/(?:README\.md)?$/.exec(path)?.[1]
      if (page === undefined || !published.includes(page)) return label
      return `[${label}](${packages}/${page}.md${anchor === undefined ? '' : `#${anchor}`})`
    },
  )
}

async function writeReference(out: string): Promise<void> {
  const markdown: Partial<PluginOptions> = {
    ...{ hidePageHeader: true, hideBreadcrumbs: true },
    entryFileName: 'index.md',
  }
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: published.flatMap(doors),
    tsconfig: join(root, 'tsconfig.json'),
    out,
    ...{ name: 'API', router: 'module', readme: 'none', disableSources: true, disableGit: true },
    ...{ excludePrivate: true, excludeInternal: true, skipErrorChecking: true },
    // Names of the platform have no page here.
    validation: { notExported: false, invalidLink: false, notDocumented: false },
    logLevel: 'Error',
    ...(markdown as object),
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('typedoc could not read the sources')
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) throw new Error('typedoc has found the above')
}

for (const name of ['packages', 'api']) {
  rmSync(join(folder, name), { recursive: true, force: true })
  mkdirSync(join(folder, name))
}
const readmes = new Map(
  published.map((name) => [name, readFileSync(join(root, 'packages', name, 'README.md'), 'utf8')]),
)
for (const [name, text] of readmes) {
  writeFileSync(join(folder, 'packages', `${name}.md`), relink(text, '.'))
}
const security = readFileSync(join(root, 'SECURITY.md'), 'utf8')
writeFileSync(join(folder, 'security.md'), relink(security, './packages'))
writeFileSync(join(folder, 'errors.md'), writeErrorsPage(readmes))
await writeReference(join(folder, 'api'))
await build(folder)
