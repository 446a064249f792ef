import { once } from 'node:events'
import {
  createServer as createHttpServer,
  request as requestHttp,
  type ClientRequest,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { CallContext, Case } from '../case.ts'
import { closed, failure, text } from '../watch.ts'

async function answer(request: ClientRequest, log: CallContext['log']): Promise<void> {
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  log(`${response.statusCode} ${String(response.headers['x-answer'])} ${await text(response)}`)
}

/** TLS and HTTP, as they are, on top. */
export const protocols: readonly Case[] = [
  {
    name: 'TLS 1.3',
    serve: ({ certificate, log }) =>
      createTlsServer(
        { ...certificate, minVersion: 'TLSv1.3', allowHalfOpen: true },
        async (socket) => {
          log(`${socket.getProtocol()} ${socket.authorized}`)
          socket.end(`answer to ${await text(socket)}`)
        },
      ),
    async call({ connect, certificate, log }) {
      const socket = connectTls({ socket: connect(), ca: certificate.cert, servername: 'enclave' })
      await once(socket, 'secureConnect')
      log(`${socket.getProtocol()} ${socket.authorized}`)
      socket.end('the question')
      log(await text(socket))
      await closed(socket)
    },
  },
  {
    name: 'TLS 1.3 without an end',
    serve: ({ certificate }) =>
      createTlsServer({ ...certificate, minVersion: 'TLSv1.3' }, (socket) => {
        socket.on('error', () => {})
        socket.pipe(socket)
      }),
    async call({ connect, certificate, log }) {
      const socket = connectTls({ socket: connect(), ca: certificate.cert, servername: 'enclave' })
      await once(socket, 'secureConnect')
      socket.write('over and back')
      log(`${socket.getProtocol()} ${String((await once(socket, 'data'))[0])}`)
      socket.destroy()
      await closed(socket)
    },
  },
  {
    name: 'TLS on a connection that is made already, much data',
    serve: ({ certificate }) =>
      createTlsServer(
        { ...certificate, allowHalfOpen: true },
        (socket) => void socket.pipe(socket),
      ),
    async call({ connected, certificate, log }) {
      const under = await connected()
      const socket = connectTls({ socket: under, ca: certificate.cert, servername: 'enclave' })
      const data = Buffer.alloc(500_000, 'enclave')
      socket.end(data)
      log(String((await text(socket)) === data.toString()))
      await closed(under)
    },
  },
  {
    name: 'TLS with a name that is not in the certificate',
    serve: ({ certificate, log }) => {
      const server = createTlsServer(certificate, () => log('never'))
      server.on('tlsClientError', () => {})
      return server
    },
    async call({ connected, certificate, log }) {
      const socket = connectTls({
        socket: await connected(),
        ...{ ca: certificate.cert, servername: 'another' },
      })
      const [error] = (await once(socket, 'error')) as [Error]
      log(failure(error))
      await closed(socket)
    },
  },
  {
    name: 'TLS to a port without listener',
    async call({ nowhere, certificate, log }) {
      const socket = connectTls({ socket: nowhere(), ca: certificate.cert, servername: 'enclave' })
      const [error] = (await once(socket, 'error')) as [Error]
      log(failure(error))
      await closed(socket)
    },
  },
  {
    name: 'a connection that is cut under TLS',
    serve: ({ certificate }) => {
      const under: Socket[] = []
      const server = createTlsServer(certificate, (socket) => {
        socket.on('error', () => {})
        socket.write('half a ')
        setTimeout(() => under.pop()?.destroy(), 50)
      })
      return server.on('connection', (socket) => under.push(socket))
    },
    async call({ connected, certificate, log }) {
      const socket = connectTls({
        socket: await connected(),
        ...{ ca: certificate.cert, servername: 'enclave' },
      })
      socket.on('error', (error) => log(`error ${failure(error)}`))
      socket.on('data', (data) => log(String(data)))
      socket.on('end', () => log('end'))
      await closed(socket)
    },
  },
  {
    name: 'HTTP, several requests on one connection',
    serve: ({ log }) =>
      createHttpServer(async (request, response) => {
        log(`${request.method} ${request.url}`)
        const body = await text(request)
        response.setHeader('x-answer', 'yes')
        response.end(body.toUpperCase())
      }),
    async call({ connected, log }) {
      const socket = await connected()
      for (const body of ['first', 'second', 'third']) {
        const request = requestHttp({
          createConnection: () => socket,
          ...{ method: 'POST', path: `/${body}`, host: 'enclave' },
          headers: { connection: 'keep-alive' },
        })
        request.end(body)
        await answer(request, log)
      }
      socket.destroy()
    },
  },
  {
    name: 'HTTP to a port without listener',
    async call({ nowhere, log }) {
      const request = requestHttp({ createConnection: () => nowhere(), path: '/', host: 'enclave' })
      request.end()
      const [error] = (await once(request, 'error')) as [Error]
      log(failure(error))
    },
  },
  {
    name: 'HTTP with a large chunked answer, and a client that goes away',
    serve: ({ log }) =>
      createHttpServer((request, response) => {
        response.on('close', () => log(`${request.url} ${response.writableFinished}`))
        if (request.url === '/all') {
          for (let part = 0; part < 20; part++) response.write(Buffer.alloc(50_000))
          response.end()
        } else {
          response.write('a part')
        }
      }),
    async call({ connect, log }) {
      const all = requestHttp({ createConnection: () => connect(), path: '/all', host: 'enclave' })
      all.end()
      const [response] = (await once(all, 'response')) as [import('node:http').IncomingMessage]
      log(String((await text(response)).length))
      const left = requestHttp({
        createConnection: () => connect(),
        path: '/left',
        host: 'enclave',
      })
      left.on('error', () => {})
      left.end()
      const [other] = (await once(left, 'response')) as [import('node:http').IncomingMessage]
      other.on('error', () => {})
      left.destroy()
      await once(left, 'close')
    },
  },
  {
    name: 'HTTPS',
    serve: ({ certificate }) =>
      createHttpsServer(certificate, (request, response) => {
        response.setHeader('x-answer', 'tls')
        response.end(request.url)
      }),
    async call({ connect, certificate, log }) {
      const request = requestHttp({
        createConnection: () =>
          connectTls({ socket: connect(), ca: certificate.cert, servername: 'enclave' }),
        ...{ path: '/secret', host: 'enclave' },
      })
      request.end()
      await answer(request, log)
    },
  },
]
