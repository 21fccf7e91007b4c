/** SmartProxy and a NetworkProxy that are joined by the loopback, as two processes would be. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Route, SmartProxyOptions } from '../../../src/config/schema.ts';
import type { RecordSummary } from '../../../src/connection/record-summary.ts';
import { NetworkProxy } from '../../../src/smart-proxy/network-proxy.ts';
import { Stage, type StagedProxy } from '../../smart-proxy/stage.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort, type Workspace } from '../../support/workspace.ts';

export const secret = 'a secret that two processes share, and nobody else';

export class TwoProcesses implements AsyncDisposable {
  readonly stage: Stage;
  readonly inner: NetworkProxy;
  readonly innerPort: number;
  outer!: StagedProxy;
  /** How connections ended at the inner process. */
  readonly innerEndings: RecordSummary[] = [];

  private constructor(stage: Stage, inner: NetworkProxy, innerPort: number) {
    this.stage = stage;
    this.inner = inner;
    this.innerPort = innerPort;
    inner.on('connection-closed', (summary) => this.innerEndings.push(summary));
  }

  static async start(
    workspace: Workspace,
    routes: Route[],
    options: Omit<SmartProxyOptions, 'routes'> = {},
  ): Promise<TwoProcesses> {
    const stage = new Stage();
    const port = await freePort();
    const secretFile = workspace.write('bridge.secret', `${secret}\n`, 0o600);
    const all = { ...options, networkProxy: { bridge: 'loopback', port, secretFile } } as const;
    const inner = new NetworkProxy({ ...all, routes });
    const both = new TwoProcesses(stage, inner, port);
    await inner.start();
    both.outer = await stage.proxy(routes, all);
    return both;
  }

  /** Waits for the inner process's endings to be this many; gives the newest. */
  async innerEnded(count = 1): Promise<RecordSummary> {
    await eventually(
      () => `${count} connections have ended inside (${this.innerEndings.length} have)`,
      () => this.innerEndings.length >= count,
    );
    return this.innerEndings[count - 1] as RecordSummary;
  }

  /** What a process of this machine sends to the inner port, and how it is told off. */
  async intrude(bytes: Uint8Array): Promise<string> {
    const socket = connect(this.innerPort, '127.0.0.1');
    let answer = '';
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    socket.write(bytes);
    await once(socket, 'close');
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outer.proxy.stop({ graceMs: 0 });
    await this.inner.stop({ graceMs: 0 });
    await this.stage[Symbol.asyncDispose]();
  }
}
