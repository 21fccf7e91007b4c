import type { ControlPort } from '../../src/admin/control-port.ts';
import { SmartProxyError } from '../../src/base/errors.ts';
import { TestSource } from './live/test-source.ts';

/** What a proxy would be, with one connection that can be ended once. */
export class TestControl implements ControlPort {
  state: ControlPort['state'] = 'ready';
  readonly calls: string[] = [];
  readonly left = new Set(['c1']);
  readonly live = new TestSource();
  reloadError: Error | null = null;
  measures = true;

  statistics = (): unknown => ({ connections: { active: 1 } });
  connections = (): unknown[] => [{ id: 'c1' }];
  findConnections: ControlPort['findConnections'] = (query) => ({
    connections: [{ id: 'c1', query }],
    total: 1,
  });
  instance = (): unknown => ({ version: '1.2.3' });
  configuration = (): unknown => ({ routes: [] });
  connection = (id: string): unknown => (id === 'c1' || id === 'old one' ? { id } : undefined);
  terminate = (id: string): boolean => this.left.delete(id);
  terminations = (limit: number, after: number) => ({ terminations: [{ limit, after }], total: 7 });
  certificates = (): unknown[] => [{ names: ['a.test'] }];
  metrics = async () => (this.measures ? { contentType: 'text/plain; version=0.0.4', text: 'up 1\n' } : null);
  history = (seconds: number): unknown[] => [{ seconds }];
  routes = (): unknown[] => [{ name: 'web' }];

  async renewCertificate(name: string): Promise<unknown> {
    if (name !== 'a.test') throw new SmartProxyError('no-such-certificate', 'none', { source: 'client' });
    this.calls.push(`renew ${name}`);
    return { names: [name] };
  }

  async explain(target: string, client?: string): Promise<unknown> {
    if (target === 'nonsense') throw new SmartProxyError('invalid-target', 'no target', { source: 'client' });
    return { target, client: client ?? null };
  }

  async reload(): Promise<void> {
    if (this.reloadError !== null) throw this.reloadError;
    this.calls.push('reload');
  }

  async drain(): Promise<void> {
    this.calls.push('drain');
  }
}
