/**
 * A proxy with traffic of many kinds, good and bad, as an operator would find it: for the pictures of
 * the dashboard and for whoever wants to look at it by hand.
 */
import { once } from 'node:events';
import http, { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { type IssuedCertificate, LocalAuthority } from '../../src/certificates/local-authority.ts';
import type { Route } from '../../src/config/schema.ts';
import { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import { seededRandom } from './virtual-clock.ts';
import type { Workspace } from './workspace.ts';

/** From here come PROXY headers that are believed: so clients have the addresses of many networks. */
const trustedAddress = '127.0.0.9';
const clientNetworks = ['198.51.100.', '203.0.113.', '192.0.2.'];

export class LivelyTraffic {
  readonly proxy: SmartProxy;
  readonly #random = seededRandom(7);
  readonly #sockets = new Set<Socket>();
  readonly #timers: NodeJS.Timeout[] = [];

  private constructor(proxy: SmartProxy) {
    this.proxy = proxy;
  }

  /** Starts everything; it ends with the workspace. */
  static async start(workspace: Workspace, adminToken?: string): Promise<LivelyTraffic> {
    const web = await startBackend(workspace);
    const echo = await startEcho(workspace);
    const certificate = await issueCertificate();
    const proxy = new SmartProxy({
      routes: routes(web, echo, await closedPort(), certificate),
      proxyProtocol: { trustedSources: [`${trustedAddress}/32`] },
      timeouts: { initialDataMs: 3_000, inactivityMs: 900_000, maxLifetimeMs: 3_600_000 },
      stateDirectory: workspace.path('state'),
      admin: { listen: '127.0.0.1:0', ...(adminToken !== undefined && { token: adminToken }) },
    });
    await proxy.start();
    workspace.onEnd(() => proxy.stop({ graceMs: 0 }));
    const traffic = new LivelyTraffic(proxy);
    workspace.onEnd(() => traffic.stop());
    traffic.#begin();
    return traffic;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #begin(): void {
    for (let index = 0; index < 40; index++) this.#database(index % 4 === 0);
    this.#every(110, () => this.#visit('shop.test', this.#oneOf(['/', '/cart', '/products/17', '/missing'])));
    this.#every(230, () =>
      this.#visit('api.test', this.#oneOf(['/v1/orders', '/v1/orders', '/broken', '/moved'])),
    );
    this.#every(900, () => this.#database(false));
    this.#every(700, () => this.#refused());
    this.#every(1_100, () => this.#unknownName());
    this.#every(1_700, () => this.#plainHttp());
    this.#every(2_300, () => this.#silent());
    this.#every(1_300, () => this.#resetting());
  }

  #every(averageMs: number, act: () => void): void {
    this.#timers.push(setInterval(() => this.#random() < 0.7 && act(), averageMs * 0.7));
  }

  #oneOf<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)] as Value;
  }

  /** A connection that has said where it comes from. */
  #connect(route: string): Socket {
    const listener = this.proxy.listeners().find(({ routes: names }) => names.includes(route));
    const { address: host = '127.0.0.1', port = 0 } = listener ?? {};
    const socket = net.connect({ host, port, localAddress: trustedAddress, noDelay: true });
    const client = `${this.#oneOf(clientNetworks)}${1 + Math.floor(this.#random() * 40)}`;
    const clientPort = 20_000 + Math.floor(this.#random() * 40_000);
    socket.write(`PROXY TCP4 ${client} 192.0.2.200 ${clientPort} ${port}\r\n`);
    socket.on('error', () => {});
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** A session that is there for long; a chatty one sends all the time. */
  #database(chatty: boolean): void {
    const socket = this.#connect('orders-database');
    socket.resume();
    socket.write('hello');
    const chat = setInterval(
      () => socket.write(Buffer.alloc(200 + this.#random() * 30_000)),
      chatty ? 150 : 4_000,
    );
    const end = setTimeout(() => socket.end(), chatty ? 600_000 : 8_000 + this.#random() * 60_000);
    socket.on('close', () => {
      clearInterval(chat);
      clearTimeout(end);
    });
  }

  /** One request over TLS, or a few. */
  #visit(name: string, path: string): void {
    const socket = tls.connect({ socket: this.#connect(name), servername: name, rejectUnauthorized: false });
    socket.on('error', () => {});
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => socket;
    const left = { requests: 1 + Math.floor(this.#random() * 4) };
    const ask = (): void => {
      const request = http.get({ agent, path, headers: { host: name } }, (response) => {
        response.resume().on('end', () => {
          if (--left.requests > 0) setTimeout(ask, this.#random() * 600);
          else socket.end();
        });
      });
      request.on('error', () => socket.destroy());
    };
    socket.on('secureConnect', ask);
  }

  #refused(): void {
    this.#connect('mail').resume();
  }

  #unknownName(): void {
    const socket = tls.connect({
      socket: this.#connect('shop.test'),
      servername: 'old.test',
      rejectUnauthorized: false,
    });
    socket.on('error', () => {});
  }

  #plainHttp(): void {
    this.#connect('shop.test').resume().write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  }

  #silent(): void {
    this.#connect('shop.test').resume();
  }

  #resetting(): void {
    const socket = this.#connect('orders-database');
    socket.once('data', () => socket.resetAndDestroy());
    socket.write('hello');
  }
}

async function issueCertificate(): Promise<IssuedCertificate> {
  const authority = await LocalAuthority.create({
    clock: systemClock,
    name: 'Example authority',
    validityMs: 90 * 86_400_000,
  });
  return authority.issue(['shop.test', 'api.test']);
}

function routes(web: number, echo: number, closed: number, certificate: IssuedCertificate): Route[] {
  const here = { ports: 0, address: '127.0.0.1' };
  const site = (name: string, path: string | undefined, port: number): Route => ({
    name: path === undefined ? name : `${name}${path}`,
    match: { ...here, domains: name, ...(path !== undefined && { path }) },
    action: {
      type: 'forward',
      target: { host: '127.0.0.1', port },
      tls: { mode: 'terminate', certificate },
    },
  });
  return [
    site('shop.test', undefined, web),
    site('api.test', undefined, web),
    {
      name: 'api-moved',
      match: { ...here, domains: 'api.test', path: '/moved' },
      action: {
        type: 'redirect',
        to: 'https://{host}/v1/orders',
        status: 308,
        tls: { certificate },
      },
    },
    {
      name: 'orders-database',
      match: { ...here, address: '127.0.0.2' },
      action: { type: 'forward', targets: [{ host: '127.0.0.1', port: echo }] },
    },
    {
      name: 'mail',
      match: { ...here, address: '127.0.0.3' },
      action: { type: 'forward', targets: [{ host: '127.0.0.1', port: closed }] },
    },
  ];
}

async function startBackend(workspace: Workspace): Promise<number> {
  const answer = ({ url = '/' }: IncomingMessage, response: ServerResponse): void => {
    const status = url === '/missing' ? 404 : url === '/broken' ? 503 : 200;
    setTimeout(() => response.writeHead(status).end(Buffer.alloc(status === 200 ? 40_000 : 300, 'x')), 20);
  };
  return listen(workspace, createServer(answer));
}

async function startEcho(workspace: Workspace): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  return listen(workspace, server);
}

async function listen(workspace: Workspace, server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
