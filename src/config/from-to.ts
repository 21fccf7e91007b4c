import { normalizeAddress } from '../base/address.ts';
import { normalizeDomain } from './domain.ts';
import { ConfigurationError, type Problem } from './problems.ts';
import type { ForwardAction, Match, Route, SmartProxyOptions, Target } from './schema.ts';

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

/** The port where none is given. */
const defaultPorts: Readonly<Record<string, number>> = { tls: 443, https: 443, http: 80 };

/**
 * The configuration that `--from`/`--to` pairs stand for. `https://a.test:8443` ends TLS for that
 * name (443 without a port), `http://a.test` takes its requests in clear text (80); both send them
 * to `http://host:port`, to `https://host:port` (whose certificate is verified), or to a unix
 * socket. `tls://a.test:8443` passes TLS for that name through, `tls://:8443` for any;
 * `tcp://:5432` listens on every address, and `tcp://127.0.0.1:5432` on one. Their targets are
 * `tcp://host:port`, for TLS also `tls://host:port` (the bytes are the same), or `unix:/path`.
 * @throws ConfigurationError with all that is wrong, by `--from` and `--to`
 */
export function fromTo(pairs: readonly Pair[]): SmartProxyOptions {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const routes = pairs.map((pair): Route => {
    const { from } = pair;
    if (seen.has(from))
      problems.push({ path: `--from ${from}`, message: 'is given twice', instead: 'give each once' });
    seen.add(from);
    return { name: from, match: readFrom(from, problems), action: readTo(pair, problems) };
  });
  if (routes.length === 0) problems.push({ path: '--from', message: 'is missing', instead: example });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { routes };
}

const example = 'write --from tls://a.test:8443 --to tcp://127.0.0.1:9443';
const httpExample = 'write --from https://app.localhost:8443 --to http://127.0.0.1:3000';

function readFrom(text: string, problems: Problem[]): Match {
  const report = (message: string, instead: string) =>
    problems.push({ path: `--from ${text}`, message, instead });
  const place = readPlace(text, report);
  if (place === undefined) return { ports: 0 };
  const { scheme, host } = place;
  const port = place.port ?? defaultPorts[scheme];
  if (!isKnown(scheme)) report(`'${scheme}' is no scheme`, 'write https://, http://, tls:// or tcp://');
  else if (port === undefined) report('has no port', 'write one, as in tcp://:5432');
  else {
    const match: Match = { ports: port, ...(scheme === 'http' && { protocol: 'http' }) };
    return { ...match, ...readName(host, scheme, port, report) };
  }
  return { ports: 0 };
}

/** What the host of a `--from` stands for: an address to listen on, or the name to route by. */
function readName(
  host: string,
  scheme: string,
  port: number,
  report: (message: string, instead: string) => void,
): Partial<Match> {
  if (host === '' || (host === '*' && scheme === 'tcp')) return {};
  if (normalizeAddress(host) !== undefined) return { address: host };
  if (scheme !== 'tcp' && normalizeDomain(host) !== undefined) return { domains: host };
  if (host === 'localhost') return { address: '127.0.0.1' };
  if (scheme !== 'tcp') report(`'${host}' is no name`, "write one such as 'a.test', or '*.a.test'");
  else report('plain TCP carries no name to route by', `write tcp://:${port}, or an address to listen on`);
  return {};
}

function readTo({ from, to }: Pair, problems: Problem[]): ForwardAction {
  const report = (message: string, instead: string) =>
    problems.push({ path: `--to ${to}`, message, instead });
  const scheme = /^[^:]*/.exec(from.toLowerCase())?.[0] ?? '';
  const mode = scheme === 'https' ? 'terminate' : 'passthrough';
  const tls = scheme === 'https' || scheme === 'tls' ? { tls: { mode } as const } : {};
  const forward = (target: Target): ForwardAction => ({ type: 'forward', target, ...tls });
  if (to.startsWith('unix:/')) {
    return forward({ socket: to.slice('unix:'.length).replace(/^\/\/(?=\/)/, '') });
  }
  const place = readPlace(to, report, isHttp(scheme) ? httpExample : example);
  if (place === undefined) return forward({ socket: '/' });
  const { host } = place;
  const port = place.port ?? (place.scheme === 'tls' ? undefined : defaultPorts[place.scheme]);
  if (isKnown(scheme) && !speaks(scheme, place.scheme))
    report(`'${place.scheme}' is not what ${scheme}:// is sent to`, alternatives(scheme));
  else if (host === '') report('has no host', `write one, as in ${place.scheme}://127.0.0.1:9443`);
  else if (port === undefined || port === 0)
    report('has no port', `write one, as in ${place.scheme}://${host}:9443`);
  else if (place.scheme !== 'https') return forward({ host, port });
  else return encrypted({ host, port }, scheme === 'https');
  return forward({ socket: '/' });
}

/** Over TLS to the target: with the client in TLS too, or in clear text. */
function encrypted(target: Target, fromTls: boolean): ForwardAction {
  if (!fromTls) return { type: 'forward', target: { ...target, tls: {} } };
  return { type: 'forward', target, tls: { mode: 'terminate-and-reencrypt' } };
}

function isKnown(scheme: string): boolean {
  return scheme === 'tcp' || Object.hasOwn(defaultPorts, scheme);
}

function isHttp(scheme: string): boolean {
  return scheme === 'http' || scheme === 'https';
}

function speaks(from: string, to: string): boolean {
  if (isHttp(from)) return isHttp(to);
  return to === 'tcp' || (to === 'tls' && from === 'tls');
}

function alternatives(from: string): string {
  if (isHttp(from)) return 'write http://, https:// or unix:/path';
  return from === 'tls' ? 'write tcp://, tls:// or unix:/path' : 'write tcp:// or unix:/path';
}

function readPlace(
  text: string,
  report: (message: string, instead: string) => void,
  instead = example,
): Place | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([^\]]*)\]|([^:/?#@[\]]*))(?::(\d{1,5}))?(\/?)(.*)$/i.exec(
    text,
  );
  const scheme = match?.[1]?.toLowerCase();
  if (match === null || scheme === undefined || match[6] !== '' || Number(match[4] ?? 0) > 65_535) {
    report('is not SCHEME://HOST:PORT', instead);
    return undefined;
  }
  return {
    scheme,
    host: match[2] ?? match[3] ?? '',
    port: match[4] === undefined ? undefined : Number(match[4]),
  };
}
