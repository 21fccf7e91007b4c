/** `smartproxy network-proxy --config FILE`, with what this version does not let users have yet. */
import { argv } from 'node:process';
import { networkProxy } from '../../../src/cli/network-proxy.ts';
import { environment } from '../tls/site.ts';

await networkProxy({ config: argv[2] }, environment);
