import { join } from 'node:path'
import ts from 'typescript'
import { root } from './block.ts'

/** Code that is checked as a module of its own, as if it were the file `path` (from the root, need not exist). */
export interface VirtualModule {
  readonly path: string
  readonly code: string
}

/** What the compiler says about all modules together, and the program to ask it more. */
export interface TypeCheck {
  /** One line each: `path:line: message`. */
  readonly errors: readonly string[]
  readonly program: ts.Program
}

/** Type-checks modules that exist nowhere, under the repository's own configuration and export condition. */
export function typeCheck(
  modules: readonly VirtualModule[],
  alsoRead: readonly string[] = [],
): TypeCheck {
  const files = new Map(
    modules.map(({ path, code }) => [
      join(root, path),
      // A block without import or export would share its names with every other.
      /^(?:import|export)\b/m.test(code) ? code : `${code}\nexport {}`,
    ]),
  )
  const options = compilerOptions()
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => files.has(path) || fileExists(path)
  host.readFile = (path) => files.get(path) ?? readFile(path)
  host.getSourceFile = (path, settings, ...rest) => {
    const code = files.get(path)
    if (code === undefined) return getSourceFile(path, settings, ...rest)
    return ts.createSourceFile(path, code, settings)
  }
  const rootNames = [...files.keys(), ...alsoRead.map((path) => join(root, path))]
  const program = ts.createProgram({ rootNames, options, host })
  const errors = [...files.keys()].flatMap((path) => {
    const file = program.getSourceFile(path) as ts.SourceFile
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) => {
        const line = file.getLineAndCharacterOfPosition(start).line + 1
        return `${path.slice(root.length + 1)}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      },
    )
  })
  return { errors, program }
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile) as {
    config: unknown
  }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  // What an example exports needs no written type, and other people's declarations are checked elsewhere.
  return { ...options, isolatedDeclarations: false, declaration: false, skipLibCheck: true }
}

/** The properties of an interface that a module exports. */
export function propertiesOf(program: ts.Program, file: string, name: string): string[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(join(root, file)) as ts.SourceFile
  const module = checker.getSymbolAtLocation(source) as ts.Symbol
  const symbol = checker.getExportsOfModule(module).find((one) => one.name === name) as ts.Symbol
  return checker
    .getDeclaredTypeOfSymbol(
      symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
    )
    .getProperties()
    .map((property) => property.name)
}
