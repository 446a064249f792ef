import type { Options } from 'tsup'

const config: Options = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2023',
  dts: true,
  clean: true,
  esbuildOptions(options) {
    options.conditions = ['@enclavejs/source']
  },
}

export default config
