import { defineConfig } from 'tsup'

const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2023',
  dts: true,
  clean: true,
  noExternal: [/^@enclavejs\/(cbor|der)$/],
  esbuildOptions(options) {
    options.conditions = ['@enclavejs/source']
  },
})

export default config
