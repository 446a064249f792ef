// What a verification costs, in P-384 verifications of the same run: cold, with the CA certificates known, and for an
// enclave that was seen before; how many documents a second; whether memory stays flat; and what others take.
import type { webcrypto } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import {
  createVerifier,
  decodeAttestationDocument,
  decodeCertificate,
  verifyAttestation,
  type Subtle,
} from '@enclavejs/attestation'
import { measurePeers } from './attestation/peers.ts'
import type { MemoryUse } from './attestation/memory.ts'
import { rotate, type Rotation } from './attestation/rotation.ts'
import { genuineFile, genuineSample, simulatedSample, type Sample } from './attestation/sample.ts'
import type { Throughput } from './attestation/throughput.ts'
import { createColdFloor, createUnit } from './attestation/unit.ts'
import { runChild } from './child.ts'
import type { Row } from './row.ts'
import { readBudget, type Budget, type Operation } from './slice.ts'

const VERIFICATIONS = 'verifications'

export async function bench(): Promise<readonly Row[]> {
  const { milliseconds, slices } = readBudget()
  const budget = { milliseconds, slices: Math.min(slices, 15) }
  return [
    ...(await measureVerifier(budget)),
    ...(await measureThroughput()),
    await measureMemory(budget),
    ...(await measurePeers()),
  ]
}

async function measureVerifier(budget: Budget): Promise<readonly Row[]> {
  const fleet = await simulatedSample(256)
  const file = genuineFile()
  const sample = file === undefined ? fleet : genuineSample(file)
  const document = sample.documents[0] as Uint8Array
  const create = async (signatures: number, creator: Creator, from: Sample): Promise<Operation> => {
    await checkSignatures(signatures, creator, from)
    return creator(from)
  }

  const measured = await rotate(
    await createUnit(document.length),
    {
      cold: await create(5, coldVerification, sample),
      floor: await createColdFloor(document.length),
      ownAnchor: await create(5, coldVerification, fleet),
      caCached: await create(2, caCachedVerification, fleet),
      sameEnclave: await create(1, knownVerification, sample),
      decode: () => decodeAll(document),
    },
    budget,
  )
  const { cold, floor, ownAnchor, caCached, sameEnclave, decode } = measured
  const origin =
    file === undefined ? 'a document of the simulator, own trust anchor' : 'a genuine document'
  const cores = `${availableParallelism()} cores`
  const row = (name: string, { cpu, spread }: Rotation, note: string): Row => ({
    row: name,
    value: cpu,
    unit: VERIFICATIONS,
    note: `CPU, half of ${budget.slices} slices within ${spread}; ${note}`,
  })
  return [
    {
      row: 'unit',
      value: cold.unit,
      unit: 'µs',
      note: `CPU of one crypto.subtle.verify, P-384 with SHA-384 over ${document.length} bytes`,
    },
    row('cold', cold, `${origin}, 4 CA certificates, 5 signatures`),
    row(
      'cold-floor',
      floor,
      'the same 5 signatures and 4 key imports with WebCrypto alone, nothing read or judged',
    ),
    row('cold-own-anchor', ownAnchor, 'trustAnchors given, read and hashed in every call'),
    row('ca-cached', caCached, 'createVerifier, a new leaf each time, 2 signatures'),
    row('same-enclave', sameEnclave, 'createVerifier, the enclave was seen before, 1 signature'),
    {
      row: 'cold-wall',
      value: cold.wall,
      unit: VERIFICATIONS,
      note: `wall clock of one call; ${cores}, of which others used ${cold.foreign.toFixed(1)}`,
    },
    row(
      'decode',
      decode,
      `CBOR and 5 certificates, nothing verified; ${(decode.cpu * decode.unit).toFixed(0)} µs`,
    ),
  ]
}

/** Makes the operation of a row, over the platform's WebCrypto where none is given. */
type Creator = (sample: Sample, subtle?: Subtle) => Operation

/** No memory: everything is read and verified anew. */
function coldVerification({ documents, policy, currentDate }: Sample, subtle?: Subtle): Operation {
  const document = documents[0] as Uint8Array
  const options = { ...policy, currentDate, ...(subtle && { subtle }) }
  return () => verifyAttestation(document, options)
}

/** Documents of more enclaves than are remembered, so that only the CA certificates are known when one comes again. */
function caCachedVerification(sample: Sample, subtle?: Subtle): Operation {
  const { documents, policy, currentDate } = sample
  const options = { ...policy, cacheSize: documents.length >> 2, ...(subtle && { subtle }) }
  const verifier = createVerifier({ ...options, now: () => currentDate })
  let turn = 0
  return () => verifier.verify(documents[turn++ % documents.length] as Uint8Array)
}

function knownVerification({ documents, policy, currentDate }: Sample, subtle?: Subtle): Operation {
  const verifier = createVerifier({ ...policy, now: () => currentDate, ...(subtle && { subtle }) })
  return () => verifier.verify(documents[0] as Uint8Array)
}

/** A row that claims a number of signatures must verify that many, once all documents were seen. */
async function checkSignatures(expected: number, create: Creator, sample: Sample): Promise<void> {
  const { subtle } = globalThis.crypto
  let count = 0
  const counting: Subtle = {
    importKey: (format, key, algorithm, extractable, usages) =>
      subtle.importKey(format, key, algorithm, extractable, usages),
    digest: (algorithm, data) => subtle.digest(algorithm, data),
    verify: (algorithm, key, signature, data) => {
      count++
      return subtle.verify(algorithm, key as webcrypto.CryptoKey, signature, data)
    },
  }
  const operation = create(sample, counting)
  for (let turn = 0; turn < sample.documents.length; turn++) await operation()
  count = 0
  await operation()
  if (count !== expected) throw new Error(`${create.name}: ${count} signatures, not ${expected}`)
}

function decodeAll(bytes: Uint8Array): void {
  const { cabundle, certificate } = decodeAttestationDocument(bytes)
  for (const one of [...cabundle, certificate]) decodeCertificate(one)
}

async function measureThroughput(): Promise<readonly Row[]> {
  const allowed = allowedCores()
  const rows: Row[] = []
  for (const cores of [1, 2]) {
    const names = [`throughput-${cores}`, `throughput-${cores}-same-enclave`]
    let note = `${cores} of the cores, 8 calls under way`
    let result: Throughput | undefined
    if (allowed.length < cores) {
      note = `not measured: taskset or ${cores} cores are missing`
    } else {
      result = (await runChild(new URL('attestation/throughput.ts', import.meta.url), [], {
        through: ['taskset', '-c', allowed.slice(0, cores).join(',')],
        deadline: 60,
      })) as Throughput
    }
    const values = [result?.cold, result?.sameEnclave]
    for (const [index, row] of names.entries()) {
      rows.push({ row, value: values[index], unit: 'documents/s', note })
    }
  }
  return rows
}

/** The cores this process may run on; none where it cannot be pinned to them. */
function allowedCores(): readonly number[] {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/taskset')) return []
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return (list ?? '').split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

async function measureMemory(budget: Budget): Promise<Row> {
  const asked = process.env['ENCLAVEJS_BENCH_VERIFICATIONS']
  const verifications =
    asked === undefined ? (budget.milliseconds < 50 ? 400 : 100_000) : Number(asked)
  const { growth, start, resident } = (await runChild(
    new URL('attestation/memory.ts', import.meta.url),
    [String(verifications)],
    { nodeOptions: ['--expose-gc'], deadline: 600 },
  )) as MemoryUse
  const from = `${megabytes(start)} MB in use, resident ${resident < 0 ? '' : '+'}${megabytes(resident)} MB`
  return {
    row: 'memory',
    value: growth,
    unit: '%',
    note: `growth over ${verifications} verifications; ${from}`,
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
