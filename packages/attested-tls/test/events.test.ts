import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import { createSealedFetch } from '../src/browser.ts'
import { createAttestedFetch } from '../src/client.ts'
import { Attester, openEnclave, outcome } from './enclave.ts'

it('both ends tell what came of each attempt, and nothing of what was sent', async () => {
  const events: unknown[] = []
  const hear = (message: unknown): void => void events.push(message)
  const channels = ['enclavejs:attested-tls:served', 'enclavejs:attested-tls:connection']
  for (const name of channels) subscribe(name, hear)
  try {
    const attester = await Attester.open()
    await using enclave = await openEnclave({ getEvidence: attester.evidence() })
    const { port } = enclave
    const duration = expect.any(Number) as number
    const peer = { host: '127.0.0.1', port, duration }
    const document = {
      resource: 'attestation',
      method: 'GET',
      status: 200,
      complete: true,
      duration,
    }
    await using fetch = createAttestedFetch(attester.policy())
    await (await fetch(`${enclave.url}/secret`)).text()
    await expect.poll(() => events).toEqual(expect.arrayContaining([document, peer]))
    expect(events.splice(0)).toHaveLength(2)
    await using strict = createAttestedFetch(attester.policy(2))
    await outcome(() => strict(enclave.url))
    const code = 'ERR_ATTESTED_TLS_EVIDENCE'
    await expect.poll(() => events).toEqual(expect.arrayContaining([document, { ...peer, code }]))
    expect(events.splice(0)).toHaveLength(2)
    const carrier = (input: unknown, init?: RequestInit): Promise<Response> =>
      fetch(input as URL, init)
    const options = {
      ...attester.policy(),
      url: enclave.url,
      fetch: carrier as typeof globalThis.fetch,
    }
    await createSealedFetch(options)('/secret')
    const sealed = { ...document, resource: 'sealed' }
    const both = [sealed, { ...sealed, method: 'POST' }]
    await expect.poll(() => events).toEqual(expect.arrayContaining(both))
    expect(JSON.stringify(events)).not.toContain('secret')
  } finally {
    for (const name of channels) unsubscribe(name, hear)
  }
})
