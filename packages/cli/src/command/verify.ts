import {
  AttestationError,
  verifyArchivedAttestation,
  verifyAttestation,
} from '@enclavejs/attestation'
import { APPRAISAL_FLAGS, readAppraisal, type Appraisal } from '../appraisal.ts'
import { onlyPositional, parseArguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { readDocument } from '../document-file.ts'
import { usage } from '../error.ts'
import { acceptedToJson, printAccepted, type Accepted } from '../output/accepted.ts'
import { printJson } from '../output/json.ts'
import { warnRefused } from '../output/refused.ts'

const HELP = `enclavejs verify FILE [flags]

Verifies an attestation document of the Nitro Secure Module: its signature, its certificates up to a built-in root of
AWS, and whether it is the enclave that you want. FILE holds the document raw, in base64 or in hex; - is stdin.

Which image (one of these is required)
  --reference FILE.json   accepted images: the output of nitro-cli build-enclave or describe-eif, or
                          {"label": …, "pcrs": {"0": HEX, …}}, or a list of such sets; may be repeated
  --pcr INDEX=HEX         a PCR; 0, 1 and 2 together, or 8; may be repeated. Beside --reference: required of every set
  --any-image             dangerous: any image of any account

How fresh (one of these is required)
  --nonce HEX             the challenge that the enclave was given
  --max-age SECONDS       greatest age by the document's own timestamp
  --at ISO-DATE           judge at that time: what the enclave was then, no proof of now
  --at-document-time      judge at the document's own timestamp: the same

What else it must say
  --public-key HEX        public_key, byte for byte
  --user-data HEX         user_data, byte for byte

Other flags
  --partition NAME        whose built-in root: aws (default) or aws-us-gov
  --trust-anchor FILE     own roots in place of it, PEM or DER; may be repeated
  --clock-tolerance SEC   how far this clock may be behind, 0 to 300, default 10
  --allow-debug-mode      dangerous: accept enclaves in debug mode and reference values of zero
  --json                  the result as JSON on stdout
  --help

Exit status: 0 accepted; 1 refused (the code on stderr); 2 wrong use, nothing was judged.`

/** `enclavejs verify`. */
export const verify: Command = {
  summary: 'verify an attestation document',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, { ...APPRAISAL_FLAGS, json: { type: 'boolean' } })
    const json = given.has('json')
    const path = onlyPositional(given, 'FILE')
    const appraisal = await readAppraisal(given)
    let note: string | undefined
    try {
      const document = await readDocument(path)
      note = document.note
      const accepted = await judge(document.bytes, appraisal)
      if (json) printJson(terminal, acceptedToJson(accepted))
      else printAccepted(terminal, accepted)
      return Exit.ACCEPTED
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error
      const { code, message } = error
      if (json) printJson(terminal, { accepted: false, code, message })
      warnRefused(terminal, error, note)
      return Exit.REFUSED
    }
  },
}

async function judge(bytes: Uint8Array, appraisal: Appraisal): Promise<Accepted> {
  const { policy, expected, at } = appraisal
  const options = { ...policy, ...expected }
  try {
    if (at === undefined) {
      const currentDate = new Date()
      const result = await verifyAttestation(bytes, { ...options, currentDate })
      return { result, appraisal, appraisedAt: currentDate }
    }
    const { archived, appraisedAt } = await verifyArchivedAttestation(bytes, { ...options, at })
    return { result: archived, appraisal, appraisedAt }
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw usage(asFlags(error.message), { cause: error })
    }
    throw error
  }
}

/** The options of the verifier under the names that they have here. */
function asFlags(message: string): string {
  return message
    .replaceAll('referenceValues', '--reference or --pcr')
    .replaceAll('trustAnchors', '--trust-anchor')
    .replace(/\b(acceptAnyImage|allowDebugMode)(: true)?\b/g, (_, name: string) =>
      name === 'acceptAnyImage' ? '--any-image' : '--allow-debug-mode',
    )
}
