import type { Options } from 'tsup'

const config: Options = {
  entry: ['src/index.ts', 'src/node.ts'],
  format: ['esm'],
  target: 'es2023',
  dts: true,
  clean: true,
  noExternal: [/^@enclavejs\/(cbor|der)$/],
  esbuildOptions(options) {
    options.conditions = ['@enclavejs/source']
  },
}

export default config
