import { once } from 'node:events';
import { connect } from 'node:net';
import { errorMessage } from '../../base/errors.ts';
import { readBridgeSecret } from '../../certificates/bridge-secret.ts';
import type { ResolvedNetworkProxy } from '../../config/resolved.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Whether the other process of a loopback bridge is there: without it no connection is served that is read. */
export async function checkBridge({ port, secretFile }: ResolvedNetworkProxy): Promise<Finding[]> {
  if (port === null || secretFile === null) return [];
  return [await checkSecret(secretFile), await checkListener(port)];
}

async function checkSecret(file: string): Promise<Finding> {
  try {
    await readBridgeSecret(file);
    return ok('bridge', `the secret in ${file} can be used`);
  } catch (error) {
    return problem('bridge', errorMessage(error), 'openssl rand -hex 32 makes one: both processes read it');
  }
}

async function checkListener(port: number): Promise<Finding> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return ok('bridge', `a process listens at 127.0.0.1:${port}, the other end of the bridge`);
  } catch (error) {
    const message = `the process that ends TLS and reads requests cannot be reached: ${errorMessage(error)}`;
    return problem('bridge', message, 'start it: smartproxy network-proxy --config FILE');
  } finally {
    socket.destroy();
  }
}
