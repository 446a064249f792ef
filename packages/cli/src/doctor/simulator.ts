import { fail, ok, warn, type Check } from './check.ts'
import type { Machine } from './machine.ts'

/** Whether a program here runs, or could run, on a simulator. In production it must not be there to be loaded. */
export function checkSimulator(machine: Machine, production: boolean): Check {
  const variable = Object.keys(machine.env).find(
    (name) => name.startsWith('ENCLAVEJS_SIMULATOR_') && machine.env[name] !== '',
  )
  const problem = production ? fail : warn
  if (machine.simulatorRegistered) {
    return problem(
      'simulator',
      'registered in this process',
      'Remove --import @enclavejs/simulator/register.',
    )
  }
  if ((machine.env['NODE_OPTIONS'] ?? '').includes('@enclavejs/simulator')) {
    return problem('simulator', 'in NODE_OPTIONS', 'Remove it from NODE_OPTIONS.')
  }
  if (variable !== undefined) {
    return problem('simulator', `${variable} is set`, `Unset ${variable}.`)
  }
  if (machine.simulatorPath === undefined) return ok('simulator', 'not installed')
  if (!production) return ok('simulator', 'installed, not in use')
  return fail(
    'simulator',
    `installed: ${machine.simulatorPath}`,
    'Make it a devDependency and build the image with npm ci --omit=dev.',
  )
}
