import { defaultNetworkProxyListen, processEnvironment } from '../config/environment.ts';
import type { SmartProxyOptions } from '../config/schema.ts';
import { NetworkProxy } from '../smart-proxy/network-proxy.ts';
import { type ConfigurationChoice, configurationSource, namingFile } from './configuration.ts';
import { withLog } from './run.ts';
import { runUntilSignal } from './serve.ts';

/**
 * `smartproxy network-proxy`: the other process of a bridge over the loopback, by the same
 * configuration. Until a signal ends it; SIGHUP reads the routes again.
 */
export async function networkProxy(choice: ConfigurationChoice): Promise<void> {
  const source = configurationSource(choice);
  const { file } = source;
  const environment = processEnvironment(defaultNetworkProxyListen());
  const read = async (): Promise<unknown> => (await source.read()).input;
  await withLog(async (log) => {
    const input = (await read()) as SmartProxyOptions;
    const proxy = await namingFile(
      file,
      () => new NetworkProxy(input, { log, environment, reloadOptions: () => namingFile(file, read) }),
    );
    log.setLevel(input.log?.level ?? 'info');
    await runUntilSignal(proxy, log, () => {});
  });
}
