import type { RunEvent } from '@enclavejs/launcher'
import { asciiJson } from './json-line.ts'

const BACKENDS = {
  'nitro-cli': 'a Nitro Enclave, by nitro-cli',
  qemu: "QEMU's nitro-enclave machine: measured as on Nitro, protected from nobody here; it has a console, as on Nitro only debug mode has",
  simulator: 'the simulator: a program of this machine. Nothing is measured, nothing is protected',
} as const

/** An event in lines for people; none for what they need not see. */
export function describeRunEvent(
  event: RunEvent,
  formatEntry: (entry: (RunEvent & { type: 'log' })['entry']) => string,
): readonly string[] {
  switch (event.type) {
    case 'backend':
      return [`enclavejs: ${BACKENDS[event.backend]} (${event.reason})`]
    case 'measured':
      return Object.entries(event.pcrs).map(([pcr, value]) => `PCR${pcr} ${value}`)
    case 'doubt':
      return [`warning: ${event.code}: ${event.message}`]
    case 'starting':
      return [`enclavejs: starting, ${event.memoryMib} MiB, ${event.cpus} CPUs`]
    case 'started':
      return [
        `enclavejs: started, CID ${event.cid}${event.enclaveId === undefined ? '' : `, ${event.enclaveId}`}`,
      ]
    case 'admitted':
      return [
        `enclavejs: compared: ${event.pcrs.length === 0 ? 'no PCR' : event.pcrs.map((pcr) => `PCR${pcr}`).join(', ')} (${event.by})`,
        `  proven: ${event.proven}`,
        `  not proven: ${event.notProven}`,
      ]
    case 'ready':
      return [`enclavejs: ready after ${(event.milliseconds / 1000).toFixed(1)} s (${event.by})`]
    case 'open':
      return event.doors.map(({ kind, port }) =>
        kind === 'publish'
          ? `enclavejs: TCP port ${port} leads to it`
          : `enclavejs: vsock port ${port} leads out of it (${kind})`,
      )
    case 'log':
      return [formatEntry(event.entry)]
    case 'stopping':
      return ['enclavejs: ending']
    case 'ended': {
      const cut = event.cut === 0 ? '' : `, ${event.cut} connections cut off`
      const how = event.asked ? 'ended as asked' : 'ended by itself'
      return [`enclavejs: ${how}: ${event.reason}${event.forced ? ', by force' : ''}${cut}`]
    }
    default:
      return []
  }
}

/** An event as one line of ASCII. */
export function runEventToJson(event: RunEvent): string {
  return asciiJson({ time: new Date().toISOString(), ...event })
}
