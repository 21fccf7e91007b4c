/** Clients that come while certificates change, and a clock that moves between two of them. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { eventually } from '../../support/eventually.ts';
import type { ProxyFixture } from '../../support/proxy-fixture.ts';
import type { SkippingClock } from '../../support/skipping-clock.ts';

/** Waits until nothing is being ordered: what was due has happened. */
export async function idle(fixture: ProxyFixture): Promise<void> {
  const orders = (): number =>
    (fixture.proxy.control.certificates() as { ordering: boolean }[]).filter(({ ordering }) => ordering)
      .length;
  await new Promise(setImmediate);
  for (let left = orders(); left > 0; left = orders()) {
    await eventually(`one of ${left} orders is over`, () => orders() !== left);
  }
}

/** What else there is to do has its share of the processor. */
const pauseMs = 10;

/** Handshakes for names in turn, without end. */
export class Load {
  handshakes = 0;
  readonly failures: unknown[] = [];
  #going = true;
  #gate: Promise<void> = Promise.resolve();
  #lanes: Promise<unknown>[] = [];
  #busy = 0;
  readonly #trust: { trusted?: string };

  constructor(port: number, names: readonly string[], trusted?: string) {
    this.#trust = trusted === undefined ? {} : { trusted };
    this.#lanes = [0, 1].map((lane) => this.#run(port, names, lane));
  }

  async #run(port: number, names: readonly string[], lane: number): Promise<void> {
    for (let turn = lane; this.#going; turn++) {
      await this.#gate;
      this.#busy++;
      try {
        (await connect(port, names[turn % names.length] as string, this.#trust)).destroy();
        this.handshakes++;
      } catch (error) {
        this.failures.push(error);
      }
      this.#busy--;
      await delay(pauseMs);
    }
  }

  /** Runs `action` at a moment without a handshake: one that takes six hours would rightly fail. */
  async between(action: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    await eventually('no handshake is under way', () => this.#busy === 0);
    action();
    resolve();
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#lanes);
  }
}

/** Lets the audit see that all is well: it does not know of time that jumps. */
export async function settle(fixture: ProxyFixture, clock: SkippingClock): Promise<void> {
  const { proxy } = fixture;
  await eventually('every connection has ended', () => proxy.getStatistics().audit.sockets === 0);
  for (let sweeps = 0; sweeps < 3; sweeps++) clock.skip(60_000);
  await eventually('the books agree', () => proxy.getStatistics().audit.consistent);
}

/** @param trusted the authority that the chain has to lead to; without it anything will do */
export async function connect(
  port: number,
  servername: string,
  { trusted, session }: { trusted?: string; session?: Buffer } = {},
): Promise<tls.TLSSocket> {
  const trust = trusted === undefined ? { rejectUnauthorized: false } : { ca: trusted };
  const socket = tls.connect({ host: '127.0.0.1', port, servername, session, ...trust });
  await once(socket, 'secureConnect');
  return socket;
}
