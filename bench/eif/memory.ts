// In a process of its own: loads the package, measures the image that is given and prints the peak of memory in
// kilobytes.
import { describeFile } from '@enclavejs/eif/node'

const [image] = process.argv.slice(2)
await describeFile(image as string)
console.log(JSON.stringify({ peak: process.resourceUsage().maxRSS }))
