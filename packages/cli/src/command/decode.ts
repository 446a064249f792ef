import { AttestationError, decodeAttestationDocument } from '@enclavejs/attestation'
import { onlyPositional, parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { readDocument } from '../document-file.ts'
import { printDecoded, reportDocument } from '../output/decoded.ts'
import { printJson } from '../output/json.ts'
import { warnRefused } from '../output/refused.ts'

const HELP = `enclavejs decode FILE [--json]

Shows everything that an attestation document says: module, time, PCRs, the application's fields, certificates with
names and dates. Nothing of it is verified: to trust any of it, use enclavejs verify. FILE holds the document raw, in
base64 or in hex; - is stdin. What is not printable ASCII is shown as \\u{…}.

  --json    the same as JSON on stdout
  --help

Exit status: 0 shown; 1 it is no attestation document of an enclave (the code on stderr); 2 wrong use.`

/** `enclavejs decode`. */
export const decode: Command = {
  summary: 'show what an attestation document says, unverified',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, { json: { type: 'boolean' } })
    const path = onlyPositional(given, 'FILE')
    const json = given.has('json')
    let note: string | undefined
    try {
      const file = await readDocument(path)
      note = file.note
      const document = decodeAttestationDocument(file.bytes)
      const now = new Date()
      const report = await reportDocument(file, document, now)
      if (json) printJson(terminal, report)
      else printDecoded(terminal, report, document, now)
      return Exit.ACCEPTED
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error
      const { code, message } = error
      if (json) printJson(terminal, { verified: false, code, message })
      warnRefused(terminal, error, note)
      return Exit.REFUSED
    }
  },
}
