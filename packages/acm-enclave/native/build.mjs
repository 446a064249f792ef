// `node native/build.mjs` builds prebuilds/linux-{x64,arm64}.node; the flags are in the script.
import { buildAddon } from '../../../scripts/build-addon.mjs'

buildAddon({
  native: import.meta.dirname,
  without: 'Opening a PKCS #11 token fails without it, the loader of certificates works',
})
