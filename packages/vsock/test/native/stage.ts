import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from '../../../../test/vsock/case.ts'
import { home } from './build.ts'

/**
 * A folder with the sources of the package and another addon in the place of the prebuilt one. Programs in it import
 * `@enclavejs/vsock`, and mean that.
 */
export class Stage {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'vsock-stage-'))

  constructor(addon: string, certificate: Certificate | undefined) {
    for (const name of ['src', 'package.json']) {
      cpSync(join(home, name), join(this.folder, name), { recursive: true })
    }
    mkdirSync(join(this.folder, 'prebuilds'))
    cpSync(addon, join(this.folder, `prebuilds/linux-${process.arch}.node`))
    cpSync(join(home, '../../test/vsock'), join(this.folder, 'suite'), { recursive: true })
    cpSync(join(home, 'test/native'), join(this.folder, 'test/native'), { recursive: true })
    writeFileSync(this.certificate, JSON.stringify(certificate ?? null))
  }

  get certificate(): string {
    return join(this.folder, 'certificate.json')
  }

  close(): void {
    rmSync(this.folder, { recursive: true })
  }
}
