export { parseAllowlist, type AllowlistEntry } from './proxy/allowlist.ts'
export { parseProxyConfig } from './proxy/config.ts'
export type { CloseReason, ProxyEvent, RefusedReason } from './proxy/event.ts'
export type {
  ConnectDoorOptions,
  DestinationOptions,
  InboundOptions,
  LimitOptions,
  OutboundOptions,
  ProxyOptions,
  VsockListenerOptions,
} from './proxy/options.ts'
export type { Resolution, ResolveHost } from './proxy/resolve.ts'
export {
  checkProxyOptions,
  startProxy,
  type ProxyListener,
  type ProxySurroundings,
  type VsockProxy,
} from './proxy/start.ts'
