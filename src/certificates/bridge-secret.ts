import { SmartProxyError } from '../base/errors.ts';
import { readSecretFile } from './pem.ts';

/** As many as the code that is made with it has; less would be guessed at. */
const leastBytes = 32;

/**
 * The key that SmartProxy and a NetworkProxy in another process share: everything that is in the
 * file, but white space at both ends.
 * @throws SmartProxyError `secret-unreadable`, or `secret-too-short`: under 32 bytes
 */
export async function readBridgeSecret(file: string): Promise<Uint8Array> {
  const secret = Buffer.from((await readSecretFile(file)).trim());
  if (secret.length >= leastBytes) return secret;
  throw new SmartProxyError(
    'secret-too-short',
    `${file} has ${secret.length} bytes, and a secret needs ${leastBytes} (openssl rand -hex 32 > ${file})`,
    { source: 'config' },
  );
}
