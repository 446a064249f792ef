import { defineConfig } from 'vitest/config'

const conditions = ['@enclavejs/source', 'node', 'import', 'module', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'fuzz/test/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/guest/**', 'test/runtimes/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
