/** SmartProxy embedded as a library, with a probe of its event loop: `embedded-proxy.ts PORT:TARGET …`. */
import { argv } from 'node:process';
import { SmartProxy } from '../src/index.ts';
import { answerProbes } from './probe.ts';
import { smartProxyOptions } from './proxies.ts';

const pairs = argv.slice(2).map((pair) => {
  const [port = 0, target = 0] = pair.split(':').map(Number);
  return { port, target };
});
const proxy = new SmartProxy(smartProxyOptions(pairs));
await proxy.start();
process.on('message', (message) => {
  if (message === 'statistics') process.send?.(proxy.getStatistics());
});
answerProbes();
