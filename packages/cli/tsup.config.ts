import type { Options } from 'tsup'

const config: Options = {
  entry: ['src/bin.ts'],
  format: ['esm'],
  target: 'es2023',
  clean: true,
}

export default config
