import type { Dial } from '../../../src/base/transport.ts';
import type { RequestEntry } from '../../../src/network-proxy/access-log.ts';
import { BackendConnection } from '../../../src/network-proxy/http1/backend-connection.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import type { Process, Surroundings } from '../process.ts';
import type { Story } from '../witness.ts';
import { World, type WorldOptions } from '../world.ts';
import { HttpBackend } from './backend.ts';
import { HttpClient } from './client.ts';
import { checkCounters, checkDrain } from './counters.ts';
import { EndLog } from './end-log.ts';
import { checkAtTheEnd } from './invariants.ts';
import { Journal } from './journal.ts';
import { findOverdue } from './overdue.ts';
import { backendPlan, type HttpClientPlan, type HttpPlan } from './plan.ts';
import { sitePort } from './routes.ts';
import { stuckExchange } from './stuck.ts';

const proxyAddress = '192.0.2.100';

/** Clients and backends that speak HTTP/1, with one proxy between them, or with two. */
export abstract class SiteWorld extends World {
  readonly plan: HttpPlan;
  readonly needsEventLoop: boolean;
  readonly journal = new Journal();
  /** Each client by the proxy's end of its connection. */
  readonly clients = new Map<MemoryTransport, { readonly peer: HttpClient; readonly plan: HttpClientPlan }>();
  /** Where clients come in. */
  abstract readonly front: Process;
  /** Where requests are read. */
  abstract readonly reader: Process;
  readonly #logs = new Map<MemoryTransport, EndLog>();
  #dials = 0;

  protected constructor(plan: HttpPlan, options: WorldOptions) {
    super(plan, options);
    this.plan = plan;
    this.needsEventLoop = plan.awaits;
  }

  protected surroundings(dial: Dial = this.dialBackend): Surroundings {
    return {
      clock: this.clock,
      log: this.logger((event, fields) => {
        if (event === 'request') this.#logged(fields as unknown as RequestEntry);
      }),
      dial,
      trace: this.trace,
      say: this.say,
      overdue: (process) => [...findOverdue(this, process), ...checkCounters(this, process)],
      atCause: (process, story) => (process === this.reader ? stuckExchange(this, story) : null),
      draining: (process) => checkDrain(this, process),
    };
  }

  /** Everything is set up: the plan takes its course. */
  protected begin(): void {
    for (const client of this.plan.clients)
      this.clock.setTimer(client.connectAtMs, () => this.#arrive(client));
    for (const act of this.plan.operator)
      this.clock.setTimer(act.atMs, () => this.whom(act.whom).operate(act));
    this.clock.setTimer(this.plan.horizonMs, () => {
      for (const process of this.processes) process.stop();
    });
  }

  /** The story of the connection on which a client's requests were read. */
  readingOf(story: Story): Story | undefined {
    return story;
  }

  protected whom(_name: string | undefined): Process {
    return this.front;
  }

  #arrive(plan: HttpClientPlan): void {
    const peer = new HttpClient(plan.name, plan.script, this.clock, this.tracer);
    const transport = this.network.join(peer, {
      proxy: { ip: proxyAddress, port: sitePort },
      peer: { ip: plan.ip, port: plan.port },
    });
    this.clients.set(transport, { peer, plan });
    this.watchEnd(transport);
    this.front.take(transport, (proxy) => proxy.accept(transport, sitePort));
  }

  /** Writes down what happens at an end that a client, or a bridge, connects to. */
  protected watchEnd(transport: MemoryTransport): void {
    this.#logs.set(transport, new EndLog(transport, this.network, this.clock));
  }

  logOf(transport: MemoryTransport): EndLog {
    const log = this.#logs.get(transport);
    if (log === undefined) throw new Error('an end that nobody watches');
    return log;
  }

  protected readonly dialBackend: Dial = (endpoint, handlers) => {
    const number = this.#dials++;
    const to = 'socket' in endpoint ? endpoint.socket : endpoint.host;
    const plan = backendPlan(this.plan, number);
    const name = `b${number} (${to})`;
    const dialing = this.network.dial({ name, to, plan }, handlers, () => {
      const { seed } = this.plan;
      const role = { host: to, plan, seed, journal: this.journal };
      const backend = new HttpBackend(name, role, this.clock, this.tracer);
      this.journal.backends.push(backend);
      return this.network.join(backend, {
        proxy: { ip: proxyAddress, port: 50_000 },
        peer: { ip: '203.0.113.1', port: 9000 },
      });
    });
    this.#checkBound(to);
    return dialing;
  };

  #logged(entry: RequestEntry): void {
    const host = entry.target?.split(':')[0] ?? '';
    const wasFull = this.#connectionsTo(host) >= this.plan.pools.maxConnections;
    this.journal.log({ ...entry, at: this.clock.now(), wasFull });
  }

  /** Those that carry requests, those that are dialled included. */
  #connectionsTo(host: string): number {
    const open = this.journal.backends.filter(({ role, far }) => {
      return role.host === host && far?.gone === false && far.listener instanceof BackendConnection;
    });
    return open.length + this.network.dialingTo(host);
  }

  /** There is one pool for each host, but for `proxied`. */
  #checkBound(host: string): void {
    const count = this.#connectionsTo(host);
    if (host !== 'proxied' && count > this.plan.pools.maxConnections)
      this.say(`${count} connections to ${host}`);
  }

  protected override check(): void {
    checkAtTheEnd(this);
  }
}
