/**
 * The server that each Node peer of this folder puts its proxy behind. Plain JavaScript, so that the
 * project's types can be checked without the peers being installed. Arguments:
 *
 *     node bench/peers/NAME.js http|https|http2 PORT TARGET [FOLDER with cert.pem and key.pem]
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';

const [protocol, port, target, folder] = process.argv.slice(2);

export const targetPort = Number(target);
export const targetUrl = `http://127.0.0.1:${target}`;
export const isHttp2 = protocol === 'http2';

/** Null in clear text. */
export const tlsOptions =
  protocol === 'http'
    ? null
    : { cert: readFileSync(join(folder, 'cert.pem')), key: readFileSync(join(folder, 'key.pem')) };

export const listenOptions = { port: Number(port), host: '127.0.0.1', backlog: 4096 };

/** As many connections to the backend as there are requests at once, and all are kept. */
export const agent = new http.Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 });

/** Nothing ends a connection while it is measured. */
export function withoutDeadlines(server) {
  return Object.assign(server, { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 3_600_000 });
}

export function serve(listener) {
  const servers = {
    http: () => http.createServer(listener),
    https: () => https.createServer(tlsOptions, listener),
    http2: () => http2.createSecureServer({ ...tlsOptions, allowHTTP1: true }, listener),
  };
  withoutDeadlines(servers[protocol]()).listen(listenOptions);
}
