// A stand-in for nitro-cli, which needs the hypervisor: it answers with the JSON and the errors that nitro-cli 1.1 to 1.5
// print, and keeps its enclaves in a file. Where NITRO_PROGRAM names a program of Node, that is its enclave.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const { env } = process
const [command, ...flags] = process.argv.slice(2)
const state = env.NITRO_STATE
const enclaves = existsSync(state) ? JSON.parse(readFileSync(state, 'utf8')) : []
const save = (list) => writeFileSync(state, JSON.stringify(list))
const flag = (name) => {
  const at = flags.indexOf(`--${name}`)
  return at < 0 ? undefined : flags[at + 1]
}
const print = (value) => process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)

function fail(...codes) {
  for (const [code, text] of codes) {
    process.stderr.write(
      `[ ${code} ] ${text}\n\nFor more details, please visit https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#${code}\n\nIf you open a support ticket, please provide the error log found at "/var/log/nitro_enclaves/err2026-01-01T00:00:00.000000000+00:00.log"\n`,
    )
  }
  process.exit(Number(codes[0][0].slice(1)))
}

writeFileSync(`${state}.calls`, `${process.argv.slice(2).join(' ')}\n`, { flag: 'a' })
switch (command) {
  case 'run-enclave': {
    if (env.NITRO_RUN === 'E36') {
      const E36 = [
        'E36',
        'Enclave boot failure. Such error appears when attempting to receive the `ready` signal from a freshly booted enclave.',
      ]
      fail(E36, [
        'E39',
        'Enclave process connection failure. Such error appears when the enclave manager fails to connect to at least one enclave process.',
      ])
    }
    if (env.NITRO_RUN === 'text') {
      process.stdout.write('Started.\n')
      break
    }
    const cid = Number(flag('enclave-cid') ?? 16)
    const id = `i-0123456789abcdef0-enc${String(enclaves.length).padStart(16, '0')}`
    let pid = 4242
    const start = () => {
      const program = spawn(process.execPath, JSON.parse(env.NITRO_PROGRAM), {
        env: { ...env, ENCLAVEJS_SIMULATOR_CID: String(cid) },
        ...{ detached: true, stdio: 'ignore' },
      })
      program.unref()
      pid = program.pid
    }
    if (env.NITRO_PROGRAM) start()
    const one = {
      EnclaveName: flag('enclave-name'),
      EnclaveID: id,
      ProcessID: pid,
      EnclaveCID: cid,
      NumberOfCPUs: Number(flag('cpu-count')),
      CPUIDs: [1, 3],
      MemoryMiB: Number(flag('memory')),
    }
    const rest = {
      State: 'RUNNING',
      Flags: flags.includes('--debug-mode') ? 'DEBUG_MODE' : 'NONE',
      ...(env.NITRO_MEASUREMENTS && {
        Measurements: { HashAlgorithm: 'Sha384 { ... }', ...JSON.parse(env.NITRO_MEASUREMENTS) },
      }),
    }
    save([...enclaves, { ...one, ...rest }])
    if (env.NITRO_RUN === 'slow') setInterval(() => {}, 1000)
    else {
      process.stderr.write(
        `Start allocating memory...\nStarted enclave with enclave-cid: ${cid}, memory: ${one.MemoryMiB} MiB, cpu-ids: [1, 3]\n`,
      )
      print(one)
    }
    break
  }
  case 'describe-enclaves':
    print(enclaves)
    if (existsSync(`${state}.unreachable`)) {
      process.stderr.write('Failed connections: 1\n')
      fail(['E39', 'Enclave process connection failure.'])
    }
    break
  case 'terminate-enclave': {
    if (existsSync(`${state}.stubborn`)) fail(['E29', 'Ioctl failure.'])
    const one = enclaves.find(({ EnclaveID }) => EnclaveID === flag('enclave-id'))
    if (one === undefined) fail(['E08', 'Unusable connection error.'])
    if (env.NITRO_PROGRAM) process.kill(one.ProcessID, 'SIGKILL')
    save(enclaves.filter((other) => other !== one))
    process.stderr.write(`Successfully terminated enclave ${one.EnclaveID}.\n`)
    print({ EnclaveName: one.EnclaveName, EnclaveID: one.EnclaveID, Terminated: true })
    break
  }
  case 'console':
    process.stdout.write(
      'Connecting to the console for enclave 16...\nSuccessfully connected to the console.\nbooted\u001b[2J\n',
    )
    setInterval(() => {}, 1000)
    break
  default:
    fail(['E14', 'Invalid command.'])
}
