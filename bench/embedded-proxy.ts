/**
 * SmartProxy embedded as a library, with a probe of its event loop:
 *
 *     node bench/embedded-proxy.ts PORT:TARGET …
 *     node bench/embedded-proxy.ts --config FILE     (JSON)
 *
 * Over IPC it answers `statistics`, and `{ routes }` by `updated` once they are in force.
 */
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { type Route, SmartProxy, type SmartProxyOptions } from '../src/index.ts';
import { answerProbes } from './probe.ts';
import { smartProxyOptions } from './proxies.ts';

function optionsOf([first = '', ...rest]: readonly string[]): SmartProxyOptions {
  if (first === '--config') return JSON.parse(readFileSync(rest[0] ?? '', 'utf8'));
  const pairs = [first, ...rest].map((pair) => {
    const [port = 0, target = 0] = pair.split(':').map(Number);
    return { port, target };
  });
  return smartProxyOptions(pairs);
}

const proxy = new SmartProxy(optionsOf(argv.slice(2)));
await proxy.start();
process.on('message', async (message: string | { routes: Route[] }) => {
  if (message === 'statistics') process.send?.(proxy.getStatistics());
  if (typeof message !== 'object') return;
  await proxy.updateRoutes(message.routes);
  process.send?.('updated');
});
answerProbes();
// Whoever started it has gone.
process.on('disconnect', () => process.exit());
