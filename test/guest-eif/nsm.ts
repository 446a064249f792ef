import { join } from 'node:path'
import { nsmPrograms, rawProgram } from '../guest/nsm.ts'
import { installed } from '../guest/package.ts'
import type { Results } from '../guest/results.ts'
import type { EnclaveConsole, Launch } from './enclave.ts'
import { makeProgramImage } from './image.ts'

/** The packed @enclavejs/nsm on the device of an enclave, in an image of its own. */
export async function runNsm(
  machine: string,
  folder: string,
  launch: (image: string, options: Partial<Launch>) => Promise<EnclaveConsole>,
  results: Results,
): Promise<void> {
  const image = join(folder, 'nsm.eif')
  const entries = [...installed(['nsm']), ...nsmPrograms(), ...rawProgram(folder)]
  await makeProgramImage(image, join(machine, 'guest/bzImage'), entries, [
    '--expose-gc',
    'inside/nsm.ts',
  ])
  const seen = await launch(image, {
    role: 'arn:aws:iam::123456789012:role/enclave',
    instance: 'i-0123456789abcdef0',
    onLine: (text) => results.hear('nsm', text),
  })
  results.ended('nsm', seen)
}
