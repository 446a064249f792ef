import type { Options } from 'tsup'

const config: Options = {
  entry: [
    'src/index.ts',
    'src/forge.ts',
    'src/register.ts',
    'src/aws.ts',
    'src/kms.ts',
    'src/imds.ts',
    'src/acm.ts',
    'src/register-parent.ts',
  ],
  format: ['esm'],
  target: 'es2023',
  dts: true,
  clean: true,
  esbuildOptions(options) {
    options.conditions = ['@enclavejs/source']
  },
}

export default config
