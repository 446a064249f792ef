import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'

const folder = join(import.meta.dirname, '..')

/** The pages that docs/build.ts wrote into a folder. */
function written(name: string): { text: string; link: string }[] {
  const path = join(folder, name)
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter((file) => file.endsWith('.md') && file !== 'index.md')
    .map((file) => file.replace(/\.md$/, ''))
    .sort()
    .map((page) => ({ text: page, link: `/${name}/${page}` }))
}

const guide = [
  ['Concepts', 'concepts'],
  ['From laptop to production', 'laptop-to-production'],
  ['Production checklist', 'production'],
  ['Troubleshooting', 'troubleshooting'],
  ['Coming from other tools', 'migration'],
  ['What is proven', 'proven'],
  ['Supply chain', 'supply-chain'],
].map(([text = '', page = '']) => ({ text, link: `/guide/${page}` }))

const reference = [
  { text: 'API', link: '/api/' },
  { text: 'Every error code', link: '/errors' },
  { text: 'Security', link: '/security' },
]

export default defineConfig({
  title: 'enclavejs',
  description: 'A TypeScript SDK for AWS Nitro Enclaves',
  cleanUrls: true,
  markdown: { languageAlias: { console: 'shellsession' } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [{ text: 'Guide', link: '/guide/concepts' }, ...reference],
    sidebar: [
      { text: 'Guide', items: guide },
      { text: 'Packages', items: written('packages') },
      { text: 'Reference', items: reference },
    ],
  },
})
