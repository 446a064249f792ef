export {
  NITRO_PARENT_CID,
  VMADDR_CID_ANY,
  VMADDR_CID_HOST,
  VMADDR_CID_HYPERVISOR,
  VMADDR_CID_LOCAL,
  VMADDR_PORT_ANY,
  type VsockAddress,
} from './address.ts'
export { connect, createConnection, type VsockConnectionOptions } from './connection.ts'
export {
  createEgress,
  createPortEgress,
  type Connect,
  type EgressDoor,
  type EgressOptions,
  type PortEgressOptions,
} from './egress.ts'
export { VsockError, type VsockErrorCode } from './error.ts'
export { FrameDecoder } from './frame-decoder.ts'
export { FrameEncoder } from './frame-encoder.ts'
export { DEFAULT_MAX_MESSAGE_LENGTH, encodeFrame, type FrameOptions } from './frame.ts'
export { sendHeartbeat, type HeartbeatOptions } from './heartbeat.ts'
export { VsockAgent, VsockTlsAgent, vsockConnector, type UndiciConnector } from './http-agent.ts'
export { listenVsock, type VsockListenOptions } from './listener.ts'
export { getLocalCid } from './local-cid.ts'
export { MessageClient, type MessageClientOptions } from './message-client.ts'
export { MessageError, MessageRemoteError } from './message-error.ts'
export type { VsockMessageEvent } from './message-event.ts'
export type { MessageContext, MessageHandler, MessageRemote } from './message-handler.ts'
export { MessageServer, serveMessages, type MessageServerOptions } from './message-server.ts'
export type { MessageRequestOptions } from './pending-request.ts'
export {
  readProxyHeader,
  type ClaimedAddress,
  type ProxyHeader,
  type ReadProxyHeaderOptions,
} from './proxy-protocol.ts'
export { createServer, VsockServer, type VsockServerAddress } from './server.ts'
export { VsockSocket } from './socket.ts'
export type { VsockSystemError } from './system-error.ts'
