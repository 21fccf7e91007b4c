import { normalizeAddress } from '../base/address.ts';
import { normalizeDomain } from './domain.ts';
import { ConfigurationError, type Problem } from './problems.ts';
import type { Match, Route, SmartProxyOptions, Target } from './schema.ts';

/** One `--from … --to …` of the command line. */
export interface Pair {
  readonly from: string;
  readonly to: string;
}

interface Place {
  readonly scheme: string;
  /** Empty where none is given. */
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * The configuration that `--from`/`--to` pairs stand for. `tls://a.test:8443` listens for that
 * name (443 without a port), `tls://:8443` for any; `tcp://:5432` on every address, and
 * `tcp://127.0.0.1:5432` on one. Targets are `tcp://host:port`, for TLS also `tls://host:port`
 * (the bytes are the same), or `unix:/path`.
 * @throws ConfigurationError with all that is wrong, by `--from` and `--to`
 */
export function fromTo(pairs: readonly Pair[]): SmartProxyOptions {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const routes = pairs.map(({ from, to }): Route => {
    if (seen.has(from))
      problems.push({ path: `--from ${from}`, message: 'is given twice', instead: 'give each once' });
    seen.add(from);
    const listen = readFrom(from, problems);
    const target = readTo(to, from, problems);
    const tls = from.toLowerCase().startsWith('tls:') ? { tls: { mode: 'passthrough' as const } } : {};
    return { name: from, match: listen, action: { type: 'forward', target, ...tls } };
  });
  if (routes.length === 0) problems.push({ path: '--from', message: 'is missing', instead: example });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { routes };
}

const example = 'write --from tls://a.test:8443 --to tcp://127.0.0.1:9443';

function readFrom(text: string, problems: Problem[]): Match {
  const report = (message: string, instead: string) =>
    problems.push({ path: `--from ${text}`, message, instead });
  const nothing: Match = { ports: 0 };
  const place = readPlace(text, report);
  if (place === undefined) return nothing;
  const { scheme, host } = place;
  const port = place.port ?? (scheme === 'tls' ? 443 : undefined);
  if (scheme !== 'tls' && scheme !== 'tcp') report(`'${scheme}' is no scheme`, 'write tls:// or tcp://');
  else if (port === undefined) report('has no port', 'write one, as in tcp://:5432');
  else if (host === '' || (host === '*' && scheme === 'tcp')) return { ports: port };
  else if (normalizeAddress(host) !== undefined) return { ports: port, address: host };
  else if (scheme === 'tls' && normalizeDomain(host) !== undefined) return { ports: port, domains: host };
  else if (host === 'localhost') return { ports: port, address: '127.0.0.1' };
  else if (scheme === 'tls') report(`'${host}' is no name`, "write one such as 'a.test', or '*.a.test'");
  else report('plain TCP carries no name to route by', `write tcp://:${port}, or an address to listen on`);
  return nothing;
}

function readTo(text: string, from: string, problems: Problem[]): Target {
  const report = (message: string, instead: string) =>
    problems.push({ path: `--to ${text}`, message, instead });
  const nothing: Target = { socket: '/' };
  if (text.startsWith('unix:/')) return { socket: text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '') };
  const place = readPlace(text, report);
  if (place === undefined) return nothing;
  const { scheme, host, port } = place;
  if (scheme === 'tls' && !from.toLowerCase().startsWith('tls:')) {
    report(
      'encrypting towards the target comes with NetworkProxy, which this version does not have yet',
      'write tcp://',
    );
  } else if (scheme !== 'tcp' && scheme !== 'tls')
    report(`'${scheme}' is no scheme`, 'write tcp:// or unix:/path');
  else if (host === '') report('has no host', 'write one, as in tcp://127.0.0.1:9443');
  else if (port === undefined || port === 0)
    report('has no port', `write one, as in ${scheme}://${host}:9443`);
  else return { host, port };
  return nothing;
}

function readPlace(text: string, report: (message: string, instead: string) => void): Place | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([^\]]*)\]|([^:/?#@[\]]*))(?::(\d{1,5}))?(\/?)(.*)$/i.exec(
    text,
  );
  const scheme = match?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') {
    report(
      `'${scheme}' comes with NetworkProxy, which this version does not have yet`,
      'write tls:// or tcp://',
    );
    return undefined;
  }
  if (match === null || scheme === undefined || match[6] !== '' || Number(match[4] ?? 0) > 65_535) {
    report('is not SCHEME://HOST:PORT', example);
    return undefined;
  }
  return {
    scheme,
    host: match[2] ?? match[3] ?? '',
    port: match[4] === undefined ? undefined : Number(match[4]),
  };
}
