import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { encodeMetadata, memorySink, writeImage, type EifPcrs } from '@enclavejs/eif'
import {
  createCertificateAuthority,
  issueAttestationDocument,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import { buildPage } from '../../examples/inspector/build.ts'
import { Chromium } from './chromium.ts'
import type { Tab } from './tab.ts'

export const NONCE: Uint8Array = new Uint8Array(32).fill(7)

/** What a document of the scene says where it is not as usual. */
export interface Said {
  readonly pcrs?: Readonly<Record<number, string>>
  readonly moduleId?: string
  readonly timestamp?: number
  readonly text?: string
}

/** The built page in a browser, and beside it files to drop: `root.pem`, `document.bin`, `app.eif`, `app.bin`, `other.eif`. */
export class Scene {
  readonly #folder: string
  readonly #chromium: Chromium
  readonly authority: CertificateAuthority
  /** PCRs of `app.eif`, which `app.bin` states. */
  readonly image: EifPcrs
  tab: Tab

  private constructor(
    folder: string,
    chromium: Chromium,
    authority: CertificateAuthority,
    image: EifPcrs,
    tab: Tab,
  ) {
    this.#folder = folder
    this.#chromium = chromium
    this.authority = authority
    this.image = image
    this.tab = tab
  }

  static async open(): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), 'enclavejs-inspector-test-'))
    // Its leaf is half an hour old, so that documents may be as well.
    const now = (): Date => new Date(Date.now() - 1_800_000)
    const authority = await createCertificateAuthority({ now })
    await writeFile(join(folder, 'index.html'), await buildPage())
    await writeFile(join(folder, 'root.pem'), authority.trustAnchorPem)
    const image = await writeEif(join(folder, 'app.eif'), 'application')
    await writeEif(join(folder, 'other.eif'), 'another application')
    const chromium = await Chromium.launch()
    const tab = await chromium.open(pathToFileURL(join(folder, 'index.html')).href)
    const scene = new Scene(folder, chromium, authority, image, tab)
    await writeFile(scene.file('document.bin'), scene.issue())
    const pcrs = { 0: image[0], 1: image[1], 2: image[2] }
    await writeFile(scene.file('app.bin'), scene.issue({ pcrs }))
    return scene
  }

  get page(): string {
    return pathToFileURL(this.file('index.html')).href
  }

  get folder(): string {
    return this.#folder
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  issue(said: Said = {}): Uint8Array {
    const pcrs = new Map<number, Uint8Array>()
    for (let index = 0; index < 16; index++) {
      const value = said.pcrs?.[index] ?? (index < 5 ? `0${index + 1}` : '00').repeat(48)
      pcrs.set(index, new Uint8Array(Buffer.from(value, 'hex')))
    }
    return issueAttestationDocument(
      {
        moduleId: said.moduleId ?? this.authority.moduleId,
        timestamp: said.timestamp ?? Date.now(),
        ...{ pcrs, nonce: NONCE, userData: new TextEncoder().encode(said.text ?? 'hello') },
      },
      this.authority.issueLeaf(),
    )
  }

  /** A new tab, in the place of the one before. */
  async begin(): Promise<void> {
    this.tab = await this.#chromium.open(this.page)
  }

  /** Waits for the verdict over what was just given. */
  async settled(kind: string): Promise<void> {
    await this.tab.until(`document.querySelector('#results').ariaBusy === 'false' &&
      document.querySelector('.verdict')?.dataset.verdict === '${kind}'`)
  }

  async trustSimulator(): Promise<void> {
    await this.tab.drop(this.file('root.pem'))
    await this.tab.until(`document.querySelector('#anchor-own').checked`)
  }

  /** Types over what a field holds. */
  async set(id: string, value: string): Promise<void> {
    await this.tab.evaluate(`{
      const field = document.querySelector('#${id}')
      field.value = ${JSON.stringify(value)}
      field.dispatchEvent(new Event('input', { bubbles: true }))
    }`)
  }

  async close(): Promise<void> {
    await this.#chromium.close()
    await rm(this.#folder, { recursive: true })
  }
}

/** Writes an image, and says what it measures to. */
export async function writeEif(
  path: string,
  application: string,
  options: { readonly kernel?: Uint8Array; readonly cmdline?: string } = {},
): Promise<EifPcrs> {
  const sink = memorySink()
  const { pcrs } = await writeImage(sink, {
    ...{ architecture: 'x86_64', kernel: options.kernel ?? Buffer.alloc(3 << 20, 'kernel') },
    cmdline: options.cmdline ?? 'console=ttyS0',
    ramdisks: [Buffer.alloc(1 << 20, 'boot'), Buffer.from(application)],
    metadata: encodeMetadata({
      ...{ imageName: 'app', imageVersion: '1', buildTool: 'test' },
      ...{ buildToolVersion: '0', kernelVersion: '6' },
    }),
    createHash: () => createHash('sha384'),
  })
  await writeFile(path, sink.bytes())
  return pcrs
}
