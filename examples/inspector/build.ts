// node build.ts [FILE]: builds the page, program, style and all, into one file that needs no server.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const folder = dirname(fileURLToPath(import.meta.url))

/** The page's text. Nothing runs in it and nothing styles it but what is hashed in its own policy. */
export async function buildPage(): Promise<string> {
  const program = escapeScript(await bundle())
  const style = await readFile(join(folder, 'src', 'style.css'), 'utf8')
  const page = await readFile(join(folder, 'src', 'page.html'), 'utf8')
  const policy = [
    `default-src 'none'`,
    `script-src '${sha256(program)}'`,
    `style-src '${sha256(style)}'`,
    `img-src data:`,
    // What a person asks for by "Fetch"; the program has no other request.
    `connect-src https: http://localhost:* http://127.0.0.1:*`,
    `base-uri 'none'`,
    `form-action 'none'`,
    // No text becomes markup or program anywhere in the page.
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ].join('; ')
  const parts: Readonly<Record<string, string>> = {
    '%POLICY%': policy,
    '<style></style>': `<style>${style}</style>`,
    '<script></script>': `<script>${program}</script>`,
  }
  return page.replace(/%POLICY%|<(style|script)><\/\1>/g, (place) => parts[place] ?? place)
}

function sha256(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** What would end the script element, or begin a comment in it, is written otherwise. */
function escapeScript(program: string): string {
  return program.replace(/<(?=\/script|!--|script)/gi, '\\x3c')
}

async function bundle(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'enclavejs-inspector-'))
  try {
    await build({
      ...{ config: false, silent: true, outDir, clean: false, dts: false },
      ...{ format: ['iife'], platform: 'browser', target: 'es2023', minify: true },
      entry: { page: join(folder, 'src', 'main.ts') },
      noExternal: [/./],
      esbuildOptions(options) {
        options.conditions = ['@enclavejs/source']
        options.legalComments = 'none'
        options.charset = 'ascii'
      },
    })
    return await readFile(join(outDir, 'page.global.js'), 'utf8')
  } finally {
    await rm(outDir, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? join(folder, 'dist', 'index.html')
  const page = await buildPage()
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, page)
  console.log(`${file}: ${page.length} bytes`)
}
