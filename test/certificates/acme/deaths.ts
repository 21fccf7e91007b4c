/** Proxies that are killed at random moments of ordering and renewing. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../src/base/clock.ts';
import { FolderStore } from '../../../src/certificates/acme/store/folder-store.ts';
import { checkCertificate } from '../../../src/certificates/pem.ts';
import { AcmeAuthority } from '../../support/authority/acme-authority.ts';
import { RunningProxy } from '../../support/command-line.ts';
import { eventually } from '../../support/eventually.ts';
import { seededRandom } from '../../support/virtual-clock.ts';
import { freePort, type Workspace } from '../../support/workspace.ts';
import { ordering, shown, site } from './stage.ts';

const names = Array.from({ length: 4 }, (_, index) => `n${index}.example`);
const deaths = 25;
/** Requests to the authority after which a proxy is killed at the latest: an order takes ten. */
const longestLife = 30;

/** One store, with proxies that die on it one after the other. */
class Lane {
  readonly workspace: Workspace;
  readonly authority: AcmeAuthority;
  readonly store: FolderStore;
  readonly port: number;
  readonly #config: string;
  readonly #env: NodeJS.ProcessEnv;
  /** Deaths with an order under way. */
  interrupted = 0;

  private constructor(
    workspace: Workspace,
    authority: AcmeAuthority,
    port: number,
    challenge: 'http-01' | 'tls-alpn-01',
  ) {
    this.workspace = workspace;
    this.authority = authority;
    this.port = port;
    this.store = new FolderStore(workspace.path('state', 'certificates'), systemClock);
    this.#config = workspace.write(
      'smartproxy.config.json',
      JSON.stringify({
        routes: names.map((name) => site(name, port)),
        certificates: { acme: ordering(authority, { challenge }) },
        stateDirectory: workspace.path('state'),
        admin: false,
      }),
    );
    this.#env = { NODE_COMPILE_CACHE: workspace.path('compiled') };
  }

  static async start(workspace: Workspace, challenge: 'http-01' | 'tls-alpn-01'): Promise<Lane> {
    const port = await freePort();
    const authority = await AcmeAuthority.start(workspace, {
      clock: systemClock,
      tlsPort: port,
      badNonces: 20,
    });
    // Every certificate is to be renewed at once, so that there is always an order.
    authority.window = ({ validFromMs }) => ({ start: validFromMs, end: validFromMs + 1_000 });
    return new Lane(workspace, authority, port, challenge);
  }

  async run(): Promise<RunningProxy> {
    const proxy = new RunningProxy(this.workspace, ['run', '--config', this.#config], this.#env);
    await proxy.logs('ready');
    return proxy;
  }

  /** Node keeps what it compiled when it ends, which those that are killed do not. */
  async warmUp(): Promise<void> {
    const proxy = await this.run();
    await proxy.logs('certificate-issued');
    proxy.signal('SIGTERM');
    await proxy.program.exited();
  }

  /**
   * Counted in requests, so that a slow machine is no reason for an early death, and up to an order where one is to
   * be interrupted; then some milliseconds more.
   */
  async die(requests: number, extraMs: number, ordering: boolean): Promise<void> {
    const goal = this.#requests + requests;
    const proxy = await this.run();
    await eventually(`there are ${goal} requests`, () => this.#requests >= goal);
    if (ordering) await eventually('an order is open', () => this.#ordering);
    await delay(extraMs);
    if (this.#ordering) this.interrupted++;
    proxy.signal('SIGKILL');
    await proxy.program.exited();
  }

  get #ordering(): boolean {
    return this.authority.orders.some(({ status }) => status !== 'valid' && status !== 'invalid');
  }

  get #requests(): number {
    return [...this.authority.asked.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Every certificate that is there is whole, and none that was there is lost. Gives how many there are. */
  async inspect(): Promise<number> {
    let count = 0;
    for (const name of names) {
      const stored = await this.store.read(name);
      if (stored === null) continue;
      count++;
      const { certificate } = checkCertificate(stored, Date.now(), { cert: name, key: name });
      assert.deepEqual(certificate.names, [name]);
    }
    return count;
  }
}

export async function dieOften(
  workspace: Workspace,
  challenge: 'http-01' | 'tls-alpn-01',
  seed: number,
): Promise<void> {
  const random = seededRandom(seed);
  const lane = await Lane.start(workspace, challenge);
  await lane.warmUp();
  let kept = 0;
  for (let death = 0; death < deaths; death++) {
    await lane.die(Math.floor(random() * longestLife), random() * 20, death % 2 === 0);
    const now = await lane.inspect();
    assert.ok(now >= kept, `${now} names have a certificate, and ${kept} had`);
    kept = now;
  }
  const { authority } = lane;
  authority.window = undefined;
  const survivor = await lane.run();
  await eventually('every name is served, and nothing is under way', () => {
    const orders = globSync('names/*/order.json', { cwd: lane.store.place });
    const served = names.filter((name) => existsSync(`${lane.store.place}/names/${name}/current/key.pem`));
    return orders.length === 0 && served.length === names.length;
  });
  for (const name of names) assert.match(await shown(lane.port, name), /^Authority /);
  await survivor.program.stop();
  assert.equal(await lane.inspect(), names.length);
  const files = readdirSync(lane.store.place, { recursive: true }) as string[];
  assert.deepEqual(
    files.filter((file) => file.includes('draft')),
    [],
  );
  assert.equal(authority.mostOpen, 1, 'no name was ordered twice at once');
  assert.ok(
    lane.interrupted >= deaths / 3,
    `${lane.interrupted} of ${deaths} died in the middle of an order`,
  );
  assert.ok(authority.certificates.length > names.length, `${authority.certificates.length} certificates`);
}
