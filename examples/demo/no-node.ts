// Comes before the page of the demo: from here on it can import no module of Node, as in a browser.
import { isBuiltin, registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    if (isBuiltin(specifier)) throw new Error(`a browser has no ${specifier}`)
    return next(specifier, context)
  },
})
