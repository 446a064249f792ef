// Refuses names that say nothing or say it in another standard's words, and the shapes that hide what a package offers:
// `utils` and its kin (everything ends up there), `export *` and code in index.ts (nobody can tell the surface), default
// exports (each importer names it anew), files too long to review. A verifier is read more often than it is written.
import { basename } from 'node:path'
import ts from 'typescript'
import { codeFiles, type SourceFile } from './source-file.ts'

const PLACES = ['packages', 'scripts', 'test', 'bench', 'examples', 'fuzz']
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/
const DRAWERS = /(?:^|[/-])(?:utils?|commons?|helpers?|misc|shared|lib|stuff)(?:[.-][^/]*)?(?:\/|$)/
const LONGEST = 450
/** Where the words are ours. Tests read the formats of others, with the words of others. */
const OURS = /^(?:packages\/[^/]+\/src|scripts|examples)\//

/** vitest takes a reporter as a default export. */
const DEFAULT_EXPORT = /(?:^|\/)[a-z.]+\.config\.ts$|^scripts\/test-reporter\.ts$/

/** The words of design §4 that are not ours, as whole words inside an identifier, and what to say in their place. */
const WORDS: readonly (readonly [words: RegExp, say: string])[] = [
  [/^(?:golden|goldens)$/, 'reference values'],
  [/^(?:whitelist|blacklist)(?:ed)?$/, 'reference values, or what is accepted'],
  [/^(?:chain|chains)$/, 'certificationPath or cabundle'],
  [/^(?:keystore|truststore)$/, 'token or trustAnchor'],
]
/** Members of the formats of others, which have their own words: ACM's bundle. */
const FOREIGN: ReadonlySet<string> = new Set(['certificateChain'])
const PAIRS: readonly (readonly [pair: RegExp, say: string])[] = [
  [/attestation-(?:quote|report)|nsm-(?:quote|report)/, 'Evidence or attestation document'],
  [/root-store|trust-store/, 'trustAnchors'],
  [/pcr-values/, 'pcrs'],
  [/wrapped-(?:blob|key)/, 'encryptedKey'],
]
const SUFFIX = /(?:Manager|Service|Impl|Helper|Helpers|Utils?)$/

export function refusals(root: string): readonly string[] {
  return codeFiles(root, PLACES).flatMap((file) => [
    ...refusePath(file),
    ...(/\.(?:ts|mts)$/.test(file.path) ? refuseProgram(file) : []),
  ])
}

function refusePath({ path, text }: SourceFile): readonly string[] {
  const found: string[] = []
  if (!KEBAB.test(basename(path))) found.push(`${path}: file names are kebab-case`)
  if (DRAWERS.test(path))
    found.push(`${path}: a drawer, not a noun; name the file after what is in it`)
  const lines = text.split('\n').length - 1
  if (lines > LONGEST)
    found.push(`${path}: ${lines} lines; look for the second file (${LONGEST} at most)`)
  return found
}

function refuseProgram({ path, text }: SourceFile): readonly string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const at = (node: ts.Node): string =>
    `${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
  const index = /(?:^|\/)src\/index\.ts$/.test(path)
  if (basename(path) === 'index.ts' && !index) {
    found.push(
      `${path}: only a package has an index, src/index.ts; name the file after what is in it`,
    )
  }
  for (const statement of source.statements) {
    const named =
      ts.isExportDeclaration(statement) &&
      statement.moduleSpecifier !== undefined &&
      statement.exportClause !== undefined &&
      ts.isNamedExports(statement.exportClause)
    if (index && !named) {
      found.push(`${at(statement)}: src/index.ts names every public symbol and holds nothing else`)
    } else if (ts.isExportDeclaration(statement) && statement.exportClause === undefined) {
      found.push(`${at(statement)}: export * hides what is exported; name it`)
    }
    if (isDefaultExport(statement) && !DEFAULT_EXPORT.test(path)) {
      found.push(`${at(statement)}: a default export; give it a name`)
    }
  }
  const visit = (node: ts.Node): void => {
    if (isDeclaration(node) && node.name !== undefined && ts.isIdentifier(node.name)) {
      const type = isTypeName(node)
      const { text } = node.name
      const reason = refuseForm(text, type) ?? (OURS.test(path) ? refuseWords(text) : undefined)
      if (reason !== undefined) found.push(`${at(node.name)}: ${node.name.text}: ${reason}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function isDefaultExport(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true
  if (ts.isExportDeclaration(statement)) {
    const clause = statement.exportClause
    if (clause === undefined || !ts.isNamedExports(clause)) return false
    return clause.elements.some(({ name }) => name.text === 'default')
  }
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) === true
}

function isDeclaration(node: ts.Node): node is ts.Node & { readonly name?: ts.Node } {
  return (
    isTypeName(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isMethodSignature(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertySignature(node) ||
    ts.isTypeParameterDeclaration(node)
  )
}

function isTypeName(node: ts.Node): boolean {
  return (
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node)
  )
}

function refuseForm(name: string, isType: boolean): string | undefined {
  if (isType && !/^[A-Z][A-Za-z0-9]*$/.test(name)) return 'types are PascalCase'
  if (isType && /[A-Z]{3}/.test(name)) return 'an acronym is a word in a type: NsmDevice'
  if (SUFFIX.test(name)) return 'Manager, Service, Impl and their kin say nothing'
  return undefined
}

function refuseWords(name: string): string | undefined {
  if (FOREIGN.has(name)) return undefined
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/_/g, '-')
    .toLowerCase()
  const pair = PAIRS.find(([pattern]) => pattern.test(words))
  if (pair !== undefined) return `say ${pair[1]}`
  for (const word of words.split('-')) {
    const hit = WORDS.find(([pattern]) => pattern.test(word))
    if (hit !== undefined) return `"${word}" is not our word; say ${hit[1]}`
  }
  return undefined
}
