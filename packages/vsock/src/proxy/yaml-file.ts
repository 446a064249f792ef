import { parseDocument, visit } from 'yaml'
import { configError } from './fields.ts'

/** The most characters of a configuration: AWS's own list has 3,000. */
const LONGEST = 1 << 20

/**
 * Reads YAML 1.2 (JSON is a subset of it) as plain data: one document, no key twice, no alias and no tag.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`.
 */
export function parseYaml(text: string, where: string): unknown {
  if (text.length > LONGEST) throw configError(where, `at most ${LONGEST} characters`, text.length)
  const document = parseDocument(text, { strict: true, uniqueKeys: true, prettyErrors: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw configError(where, `YAML (${problem.message.trim()})`)
  visit(document, {
    Alias: () => {
      throw configError(where, 'YAML without anchors and aliases')
    },
    Node: (_key, node) => {
      if (node.tag !== undefined && !/^tag:yaml\.org,2002:(?:map|seq|str)$/.test(node.tag)) {
        throw configError(where, 'YAML without tags', node.tag)
      }
    },
  })
  return document.toJS({ maxAliasCount: 0 }) as unknown
}
