import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSimulatedImds } from '@enclavejs/simulator/imds'
import { createSimulatedAccount } from '@enclavejs/simulator/kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ordinaryCredentials } from '../src/index.ts'
import { failure } from './simulated-kms.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

describe('what AWS’s tools look through', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kms-credentials-'))
    writeFileSync(
      join(folder, 'credentials'),
      `[default]\naws_access_key_id = AKIADEFAULTDEFAULT00\naws_secret_access_key=${SECRET}\n\n` +
        `[ other ]\n# a comment\naws_access_key_id=AKIAOTHEROTHEROTHER0\naws_secret_access_key = ${SECRET}\naws_session_token = t\n` +
        `[half]\naws_access_key_id=AKIAHALFHALFHALFHALF\n`,
    )
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (): Record<string, string> => ({
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
  })

  it('the environment goes before all', async () => {
    const environment = {
      ...file(),
      AWS_ACCESS_KEY_ID: 'ASIAENVIRONMENT00000',
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_SESSION_TOKEN: 'token',
    }
    expect(await ordinaryCredentials({ environment })()).toEqual({
      accessKeyId: 'ASIAENVIRONMENT00000',
      secretAccessKey: SECRET,
      sessionToken: 'token',
    })
    const half = { ...file(), AWS_ACCESS_KEY_ID: 'ASIAENVIRONMENT00000' }
    expect(await failure(ordinaryCredentials({ environment: half })())).toBe('ERR_KMS_CREDENTIALS')
  })

  it('the shared file, by profile', async () => {
    const id = async (options: { profile?: string; environment?: object } = {}): Promise<string> =>
      (
        await ordinaryCredentials({
          ...(options.profile !== undefined && { profile: options.profile }),
          environment: { ...file(), ...options.environment },
        })()
      ).accessKeyId
    expect(await id()).toBe('AKIADEFAULTDEFAULT00')
    expect(await id({ profile: 'other' })).toBe('AKIAOTHEROTHEROTHER0')
    expect(await id({ environment: { AWS_PROFILE: 'other' } })).toBe('AKIAOTHEROTHEROTHER0')
    expect(await failure(id({ profile: 'half' }))).toBe('ERR_KMS_CREDENTIALS')
    expect(await failure(id({ profile: 'missing' }))).toBe('ERR_KMS_CREDENTIALS')
  })

  it('IMDS at last, unless it is disabled', async () => {
    const nothing = { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'missing') }
    const disabled = { ...nothing, AWS_EC2_METADATA_DISABLED: 'true' }
    expect(await failure(ordinaryCredentials({ environment: disabled })())).toBe(
      'ERR_KMS_CREDENTIALS',
    )
    const account = createSimulatedAccount()
    const imds = await createSimulatedImds({ account, role: 'r' })
    const found = await ordinaryCredentials({
      environment: nothing,
      imds: { connect: imds.connect.bind(imds) },
    })()
    expect(found.accessKeyId).toMatch(/^ASIA/)
    await imds.close()
  })
})
