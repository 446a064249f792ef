import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

/** Where a branch stands. */
export interface Branch {
  readonly file: string
  readonly line: number
}

/** What the instrumented modules count into, and what was found in them. */
export interface Instrumentation {
  /** One counter a branch; it wraps at 256. */
  readonly counters: Uint8Array
  /** Grows while modules are loaded. */
  readonly branches: readonly Branch[]
  /** Strings and integers of the sources. */
  readonly literals: ReadonlySet<string | number>
}

const NAME = '__enclavejsBranches'
const MAX_BRANCHES = 16_384

/**
 * From now on modules below `folders` count their branches as they are loaded: both ways of each `if` and `?:`, right
 * sides of `&&`, `||` and `??`, cases, loop bodies, functions and handlers. It works on this thread alone.
 */
export function instrument(root: string, folders: readonly string[]): Instrumentation {
  const counters = new Uint8Array(MAX_BRANCHES)
  const branches: Branch[] = []
  const literals = new Set<string | number>()
  Object.assign(globalThis, { [NAME]: counters })
  const prefixes = folders.map((folder) => pathToFileURL(`${root}/${folder}/`).href)
  registerHooks({
    load(url, context, nextLoad) {
      if (!prefixes.some((prefix) => url.startsWith(prefix))) return nextLoad(url, context)
      const path = fileURLToPath(url)
      const source = readFileSync(path, 'utf8')
      const file = relative(root, path)
      const transformer = countBranches(
        (line) => {
          if (branches.length === MAX_BRANCHES) throw new RangeError('too many branches')
          return branches.push({ file, line }) - 1
        },
        (literal) => literals.add(literal),
      )
      const { outputText } = ts.transpileModule(source, {
        fileName: path,
        compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
        transformers: { before: [transformer] },
      })
      return { format: 'module', source: outputText, shortCircuit: true }
    },
  })
  return { counters, branches, literals }
}

type Transformer = ts.TransformerFactory<ts.SourceFile>

function countBranches(
  add: (line: number) => number,
  learn: (literal: string | number) => void,
): Transformer {
  return (context) => (file) => {
    const { factory } = context

    const count = (node: ts.Node): ts.Expression => {
      const { line } = file.getLineAndCharacterOfPosition(Math.max(node.pos, 0))
      const counter = factory.createElementAccessExpression(
        factory.createIdentifier(NAME),
        factory.createNumericLiteral(add(line + 1)),
      )
      return factory.createPostfixIncrement(counter)
    }
    const counted = (expression: ts.Expression, at: ts.Node): ts.Expression =>
      factory.createParenthesizedExpression(factory.createComma(count(at), expression))
    const statement = (at: ts.Node): ts.Statement => factory.createExpressionStatement(count(at))
    const block = (body: ts.Statement, at: ts.Node): ts.Block =>
      factory.createBlock([statement(at), ...(ts.isBlock(body) ? body.statements : [body])], true)

    const visit = (original: ts.Node): ts.Node => {
      learnLiteral(original, learn)
      // Types and the names of modules are no code.
      if (ts.isTypeNode(original) || ts.isImportDeclaration(original)) return original
      const node = ts.visitEachChild(original, visit, context)
      if (ts.isIfStatement(node)) {
        const otherwise = node.elseStatement ?? factory.createBlock([])
        return factory.updateIfStatement(
          node,
          node.expression,
          block(node.thenStatement, original),
          block(otherwise, original),
        )
      }
      if (ts.isConditionalExpression(node)) {
        return factory.updateConditionalExpression(
          node,
          node.condition,
          node.questionToken,
          counted(node.whenTrue, original),
          node.colonToken,
          counted(node.whenFalse, original),
        )
      }
      if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) {
        const right = counted(node.right, original)
        return factory.updateBinaryExpression(node, node.left, node.operatorToken, right)
      }
      if (ts.isIterationStatement(node, false))
        return withBody(node, block(node.statement, original))
      if (ts.isCaseOrDefaultClause(node)) {
        const statements = [statement(original), ...node.statements]
        return ts.isCaseClause(node)
          ? factory.updateCaseClause(node, node.expression, statements)
          : factory.updateDefaultClause(node, statements)
      }
      if (ts.isCatchClause(node)) {
        return factory.updateCatchClause(
          node,
          node.variableDeclaration,
          block(node.block, original),
        )
      }
      if (ts.isArrowFunction(node)) {
        const body = ts.isBlock(node.body)
          ? block(node.body, original)
          : counted(node.body, original)
        const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken } = node
        return factory.updateArrowFunction(
          node,
          modifiers,
          typeParameters,
          parameters,
          type,
          equalsGreaterThanToken,
          body,
        )
      }
      // The bodies of other functions; that of a constructor may begin with super().
      if (ts.isBlock(node) && ts.isFunctionLike(original.parent)) {
        if (ts.isArrowFunction(original.parent) || ts.isConstructorDeclaration(original.parent)) {
          return node
        }
        return block(node, original)
      }
      return node
    }

    const withBody = (node: ts.IterationStatement, body: ts.Block): ts.Statement => {
      if (ts.isForStatement(node)) {
        const { initializer, condition, incrementor } = node
        return factory.updateForStatement(node, initializer, condition, incrementor, body)
      }
      if (ts.isForOfStatement(node)) {
        const { awaitModifier, initializer, expression } = node
        return factory.updateForOfStatement(node, awaitModifier, initializer, expression, body)
      }
      if (ts.isForInStatement(node)) {
        return factory.updateForInStatement(node, node.initializer, node.expression, body)
      }
      if (ts.isWhileStatement(node)) {
        return factory.updateWhileStatement(node, node.expression, body)
      }
      return factory.updateDoStatement(
        node as ts.DoStatement,
        body,
        (node as ts.DoStatement).expression,
      )
    }

    setParents(file)
    return ts.visitNode(file, visit, ts.isSourceFile)
  }
}

function setParents(node: ts.Node): void {
  ts.forEachChild(node, (child) => {
    Object.assign(child, { parent: node })
    setParents(child)
  })
}

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  return [
    ts.SyntaxKind.AmpersandAmpersandToken,
    ts.SyntaxKind.BarBarToken,
    ts.SyntaxKind.QuestionQuestionToken,
    ts.SyntaxKind.QuestionQuestionEqualsToken,
    ts.SyntaxKind.BarBarEqualsToken,
    ts.SyntaxKind.AmpersandAmpersandEqualsToken,
  ].includes(kind)
}

function learnLiteral(node: ts.Node, learn: (literal: string | number) => void): void {
  if (ts.isStringLiteral(node) && node.text.length > 0 && node.text.length <= 40) learn(node.text)
  if (ts.isNumericLiteral(node)) {
    const value = Number(node.text.replaceAll('_', ''))
    if (Number.isSafeInteger(value)) learn(value)
  }
}
