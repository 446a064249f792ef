/** What to do about the codes of nitro-cli that an operator meets when an enclave is run, watched and ended. */
const ADVICE: Readonly<Record<string, string>> = {
  E05: 'The enclave process could not be started: look for limits on processes and memory of this user.',
  E07: 'The folder of its sockets (/run/nitro_enclaves) cannot be read: is this user in the group ne, and did nitro-enclaves-allocator run since the instance started?',
  E08: 'The enclave has ended meanwhile.',
  E10: 'The console did not answer: only an enclave in debug mode has one.',
  E11: 'A socket failed. For a console: the enclave has ended, or is not in debug mode. For a signed image: its certificate is out of date.',
  E18: 'Its log in /var/log/nitro_enclaves belongs to another user: run it as the user who ran it first, or mend the owner.',
  E19: 'A file cannot be read or written: is the image there, and may this user read it?',
  E20: 'A CPU is named twice.',
  E21: 'A CPU that is named is not set aside for enclaves: cpu_pool in /etc/nitro_enclaves/allocator.yaml.',
  E22: 'More CPUs than are set aside: raise cpu_count in /etc/nitro_enclaves/allocator.yaml and restart nitro-enclaves-allocator, or ask for fewer.',
  E23: 'The list of CPUs of this machine cannot be read.',
  E24: 'CPUs must be whole cores: with hyper-threading their number is even.',
  E25: 'The pages that are reserved have a size that enclaves cannot use.',
  E26: 'Less memory than four times the image: give more.',
  E27: 'More memory than is free: raise memory_mib in /etc/nitro_enclaves/allocator.yaml and restart nitro-enclaves-allocator, end another enclave, or ask for less.',
  E28: '/dev/nitro_enclaves made no enclave: was the instance started with enclave options, and are there fewer than four enclaves?',
  E29: 'The driver refused. Most often all memory or CPUs are in use, or the number of CPUs is odd where cores have two threads.',
  E30: 'The driver refused the image.',
  E31: 'The driver refused the memory: it must lie in one NUMA node, as the CPUs do.',
  E32: 'The driver refused a CPU: cores are given whole, and those of one NUMA node.',
  E33: 'The enclave was not started: another CID may help, if this one is in use.',
  E35: 'The image cannot be read as one, or there are too few free pages: enclavejs eif describe FILE.',
  E36: 'It was started and sent no heartbeat: its init did not come so far. Run it with --debug and look at the console; enclavejs eif describe FILE shows a kernel or command line that does not fit.',
  E39: 'An enclave process cannot be reached. After another error it only says that the enclave is gone.',
  E44: 'No console: only an enclave in debug mode has one, and one reader at a time.',
  E58: 'No enclave of this name, or several.',
}

/** Advice for a code of nitro-cli; empty for one that needs none. */
export function explainNitroCode(code: string): string {
  return ADVICE[code] ?? ''
}
