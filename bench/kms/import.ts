// Imports one package, or none, as it is built, and prints what that took.
const [name = ''] = process.argv.slice(2)
const begin = performance.now()
if (name !== '') await import(name)
const milliseconds = performance.now() - begin
globalThis.gc?.()
console.log(JSON.stringify({ rss: process.memoryUsage.rss(), milliseconds }))
