/** One call of the protocol: its number, and how its arguments are written. */
export interface RpcCall {
  readonly id: number
  readonly name: string
  readonly request: string
  readonly response: string
}

/** The number that an answer has in place of a call's when the call failed. */
export const ERROR_CALL = 0
export const ERROR_SIGNATURE = 'u'

const TABLE = `
1 Initialize ayyay -|2 Finalize - -|3 GetInfo - vsusv|4 GetSlotList yfu au|5 GetSlotInfo u ssuvv
6 GetTokenInfo u ssssuuuuuuuuuuuvvs|7 GetMechanismList ufu au|8 GetMechanismInfo uu uuu|10 OpenSession uu u
11 CloseSession u -|12 CloseAllSessions u -|13 GetSessionInfo u uuuu|18 Login uuay -|19 Logout u -
22 DestroyObject uu -|23 GetObjectSize uu u|24 GetAttributeValue uufA aAu|26 FindObjectsInit uaA -|27 FindObjects ufu au
28 FindObjectsFinal u -|42 SignInit uMu -|43 Sign uayfy ay|44 SignUpdate uay -|45 SignFinal ufy ay
63 SeedRandom uay -|64 GenerateRandom ufy ay`

const unused = (text: string): string => (text === '-' ? '' : text)

/** The calls that the token answers; every other number is answered with CKR_FUNCTION_NOT_SUPPORTED. */
export const RPC_CALLS: ReadonlyMap<number, RpcCall> = new Map(
  TABLE.trim()
    .split(/[|\n]/)
    .map((line) => {
      const [id = '', name = '', request = '', response = ''] = line.split(' ')
      const call = { id: Number(id), name, request: unused(request), response: unused(response) }
      return [call.id, call] as const
    }),
)

/** By its name. */
export function rpcCall(name: string): RpcCall {
  for (const call of RPC_CALLS.values()) if (call.name === name) return call
  throw new RangeError(`no call ${name}`)
}
