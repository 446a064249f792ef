import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { referenceValues, type EifReferenceValues } from '@enclavejs/eif'
import { buildProgram, ownInit } from '@enclavejs/eif/node'

const program = fileURLToPath(new URL('./enclave', import.meta.url))

/** An image that was built, and what it measures to. */
export interface Image {
  readonly label: string
  /** The program's arguments, which are in the image. */
  readonly args: readonly string[]
  readonly size: number
  readonly packages: number
  readonly reference: EifReferenceValues
}

/** The parts of an image that boot it. */
export interface BootFiles {
  readonly kernel: string
  readonly init: string
  /** What stands for what is not here. */
  readonly says: string
}

/** The kernel where one is given, the init where a C compiler has built one; stand-ins in the place of the others. */
export function findBootFiles(folder: string, kernel: string | undefined): BootFiles {
  const missing: string[] = []
  const standIn = (name: string, write: (path: string) => string): string => {
    missing.push(name)
    return write(join(folder, name))
  }
  const files = {
    kernel: kernel ?? standIn('kernel', writeKernelStandIn),
    init: builtInit() ?? standIn('init', writeInitStandIn),
  }
  const says =
    missing.length === 0
      ? 'with the kernel that was given'
      : `1 KiB stands for the ${missing.join(' and the ')}`
  return { ...files, says: kernel === undefined ? `${says}, which --kernel FILE gives` : says }
}

function builtInit(): string | undefined {
  try {
    return ownInit(process.arch === 'arm64' ? 'aarch64' : 'x86_64')
  } catch {
    return undefined
  }
}

function writeInitStandIn(path: string): string {
  writeFileSync(
    path,
    Buffer.alloc(1024, 'no init was built: this installation had no C compiler\n'),
  )
  return path
}

/** Builds the enclave's program into an image with these arguments, with Node and libraries as they are on this machine. */
export async function buildImage(
  folder: string,
  label: string,
  { kernel, init }: BootFiles,
  args: readonly string[],
): Promise<Image> {
  const { description, packages } = await buildProgram(join(folder, `${label}.eif`), {
    program,
    args,
    ...{ kernel, init },
    ...{ lock: join(folder, `${label}.lock.json`), updateLock: true },
    // Not `/`: then no package manager is asked whose the libraries are.
    libraryRoot: '/./',
  })
  const reference = referenceValues(description, { label })
  return { label, args, size: description.size, packages: packages.length, reference }
}

/** PCR0, 1 and 2 as the simulator takes them for an enclave that runs the image. */
export function bootPcrs({ reference: { pcrs } }: Image): string {
  return [0, 1, 2].map((index) => `${index}=${pcrs[index as 0 | 1 | 2]}`).join(',')
}

/**
 * A file of 1 KiB that stands for the kernel where none is given: a header that says which kernel it is, and no code. The image is
 * built and measured like any other, and boots nowhere.
 */
export function writeKernelStandIn(path: string): string {
  const image = Buffer.alloc(1024)
  if (process.arch === 'arm64') {
    image.write('ARM\x64', 56)
  } else {
    image[0x1f1] = 1
    image.writeUInt32LE(0x5372_6448, 0x202)
    image.writeUInt16LE(0x80, 0x20e)
    image.write('6.12.0', 0x280)
  }
  writeFileSync(path, image)
  return path
}
