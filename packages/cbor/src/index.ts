export { CborError, type CborErrorCode } from './error.ts'
export { CborSimple, CborTag, type CborKey, type CborMap, type CborValue } from './value.ts'
export { decode, type DecodeOptions } from './decode.ts'
export { encode } from './encode.ts'
