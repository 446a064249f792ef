// What a Node takes that does nothing: its peak of memory in kilobytes.
console.log(JSON.stringify({ peak: process.resourceUsage().maxRSS }))
