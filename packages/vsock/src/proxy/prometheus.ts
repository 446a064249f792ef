import { createServer, type Server } from 'node:http'
import type { Counters, ListenerCounters } from './counters.ts'

const PREFIX = 'enclavejs_vsock_proxy'

/** The counters in Prometheus' text format, version 0.0.4. */
export function formatPrometheus({ listeners, dns }: Counters): string {
  const each = (value: (counters: ListenerCounters) => number): string[] =>
    [...listeners].map(([name, counters]) => `{listener="${name}"} ${value(counters)}`)
  const eachOf = (label: string, map: (counters: ListenerCounters) => Map<string, number>) =>
    [...listeners].flatMap(([name, counters]) =>
      [...map(counters)].map(
        ([key, value]) => `{listener="${name}",${label}="${escapeLabel(key)}"} ${value}`,
      ),
    )
  return [
    metric(
      'connections',
      'gauge',
      'Connections that are open.',
      each(({ open }) => open),
    ),
    metric(
      'connections_limit',
      'gauge',
      'Connections that may be open.',
      each((c) => c.limit),
    ),
    metric('opened_total', 'counter', 'Connections that reached the other end.', [
      ...each(({ opened }) => opened),
    ]),
    metric('bytes_total', 'counter', 'Bytes, up from the side that connected.', [
      ...eachOf('direction', ({ bytesUp }) => new Map([['up', bytesUp]])),
      ...eachOf('direction', ({ bytesDown }) => new Map([['down', bytesDown]])),
    ]),
    metric('refused_total', 'counter', 'Connections closed at once.', [
      ...eachOf('reason', ({ refused }) => refused),
    ]),
    metric('failed_total', 'counter', 'Connections whose other end was not reached.', [
      ...eachOf('code', ({ failed }) => failed),
    ]),
    metric('closed_total', 'counter', 'Connections that have ended.', [
      ...eachOf('reason', ({ closed }) => closed),
    ]),
    metric('dns_total', 'counter', 'Questions to DNS.', [
      ...[...dns].map(([result, value]) => `{result="${result}"} ${value}`),
    ]),
  ].join('')
}

function metric(name: string, type: string, help: string, lines: readonly string[]): string {
  const full = `${PREFIX}_${name}`
  const head = `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n`
  return head + lines.map((line) => `${full}${line}\n`).join('')
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (unit) => (unit === '\n' ? '\\n' : `\\${unit}`))
}

/** Answers `GET /metrics`. */
export function metricsServer(counters: Counters): Server {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 },
    (request, response) => {
      const wanted = request.url === '/metrics'
      const understood = request.method === 'GET' || request.method === 'HEAD'
      const status = !wanted ? 404 : understood ? 200 : 405
      response.writeHead(status, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        'x-content-type-options': 'nosniff',
      })
      response.end(status === 200 ? formatPrometheus(counters) : '')
    },
  )
  server.maxConnections = 32
  return server
}
