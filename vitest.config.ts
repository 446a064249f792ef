import { availableParallelism } from 'node:os'
import type { ViteUserConfig } from 'vitest/config'

const conditions = ['@enclavejs/source', 'node', 'import', 'default']

const config: ViteUserConfig = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'fuzz/test/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/guest/**', 'test/runtimes/**'],
    globalSetup: ['test/temporary-folder.ts'],
    // vitest leaves one core free; with two that would halve the speed, for tests that mostly wait.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}

export default config
