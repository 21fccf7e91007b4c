import { normalizeAddress } from '../base/address.ts';
import { writtenTargets } from './check-http.ts';
import type { Findings } from './problems.ts';
import type { ForwardAction, Route, Target } from './schema.ts';

type Report = (field: string, message: string, instead: string) => void;

const elsewhere = "leave it out, or write engine: 'node'";

/**
 * What the kernel cannot do for a route. It forwards packets by their addresses and ports: it reads
 * no bytes of a connection, adds none, asks no DNS and calls no function. `path` is the route's.
 */
export function checkKernelRoute(route: Route, action: ForwardAction, path: string): Findings {
  const findings: Findings = { problems: [], warnings: [] };
  const refuse: Report = (field, message, instead) =>
    findings.problems.push({ path: `${path}.${field}`, message, instead });
  const warn: Report = (field, message, instead) =>
    findings.warnings.push({ path: `${path}.${field}`, message, instead });
  refuseCriteria(route.match, refuse);
  refuseChanges(action, refuse);
  for (const { target, field } of writtenTargets(action)) refuseTarget(target, `action.${field}`, refuse);
  refuseMixedPorts(route.match, action, refuse);
  warnOfIdleSettings(route, warn);
  return findings;
}

/** Criteria that only the bytes of a connection tell. */
function refuseCriteria(match: Route['match'], refuse: Report): void {
  const unreadable = "cannot be told by the kernel, which reads no bytes: engine 'nftables' knows addresses";
  for (const field of ['domains', 'alpn', 'path', 'methods', 'headers'] as const) {
    if (match[field] !== undefined) refuse(`match.${field}`, `${unreadable} and ports only`, elsewhere);
  }
  const { protocol, ports } = match;
  if (protocol === 'tls' || protocol === 'http')
    refuse('match.protocol', `'${protocol}' ${unreadable} and ports only`, elsewhere);
  if ((Array.isArray(ports) ? ports : [ports]).includes(0))
    refuse('match.ports', "0 is no port for engine 'nftables': the kernel chooses none", 'write a port');
}

/** What would change the bytes. */
function refuseChanges(action: ForwardAction, refuse: Report): void {
  const { tls, http, sendProxyProtocol } = action;
  if (tls !== undefined)
    refuse('action.tls', "is not for engine 'nftables': the kernel only moves bytes", elsewhere);
  if (http !== undefined)
    refuse('action.http', "is not for engine 'nftables': the kernel reads no HTTP", elsewhere);
  if (sendProxyProtocol !== undefined) {
    refuse(
      'action.sendProxyProtocol',
      "cannot be done with engine 'nftables': the kernel adds no bytes",
      elsewhere,
    );
  }
}

function refuseTarget(target: Target, field: string, refuse: Report): void {
  const { host, port } = target;
  for (const name of ['tls', 'protocol', 'dns'] as const) {
    if (target[name] !== undefined)
      refuse(`${field}.${name}`, "is not for engine 'nftables': the kernel only moves bytes", elsewhere);
  }
  if (target.socket !== undefined)
    refuse(`${field}.socket`, 'is no place for packets', "write host and port, or engine: 'node'");
  if (typeof port === 'function')
    refuse(`${field}.port`, 'cannot be a function: the kernel calls none', "write a port, or engine: 'node'");
  if (typeof host === 'function')
    refuse(
      `${field}.host`,
      'cannot be a function: the kernel calls none',
      "write an address, or engine: 'node'",
    );
  for (const name of typeof host === 'string' ? [host] : Array.isArray(host) ? host : [])
    refuseHost(name, `${field}.host`, refuse);
}

function refuseHost(host: string, field: string, refuse: Report): void {
  const address = normalizeAddress(host.replace(/^\[(.*)\]$/, '$1'));
  const wanted = "write an address such as '10.0.0.1', or engine: 'node'";
  if (address === undefined) refuse(field, `'${host}' is a name, and the kernel asks no DNS`, wanted);
  else if (!isForwardable(address)) refuse(field, `${address} is no address of one machine`, wanted);
}

/** Not: unspecified, broadcast, multicast; and link-local IPv6, which means nothing without an interface. */
function isForwardable(address: string): boolean {
  if (address.includes(':')) return address !== '::' && !/^(fe[89ab]|ff)/.test(address);
  const first = Number(address.split('.')[0]);
  return first !== 0 && (first < 224 || first > 239) && address !== '255.255.255.255';
}

/** One rule either sets the port or leaves it. */
function refuseMixedPorts(match: Route['match'], action: ForwardAction, refuse: Report): void {
  const targets = writtenTargets(action);
  const kept = targets.filter(({ target }) => target.port === 'preserve');
  if (typeof match.ports === 'number' || kept.length === 0 || kept.length === targets.length) return;
  refuse(
    `action.${kept[0]?.field}.port`,
    "is 'preserve', and other targets have a port of their own: the kernel does one or the other",
    "write 'preserve' for all targets or for none",
  );
}

const idleTimeouts = [
  'initialDataMs',
  'connectMs',
  'tlsHandshakeMs',
  'stalledWriteMs',
  'requestHeadMs',
  'requestBodyMs',
  'keepAliveMs',
  'responseHeadMs',
  'responseWriteMs',
  'poolIdleMs',
] as const;
const idleLimits = ['initialDataBytes', 'pendingBytesPerConnection', 'headerBytes'] as const;

function warnOfIdleSettings({ timeouts, limits }: Route, warn: Report): void {
  const message = "has no effect with engine 'nftables'";
  for (const name of idleTimeouts)
    if (timeouts?.[name] !== undefined) warn(`timeouts.${name}`, message, 'leave it out');
  for (const name of idleLimits)
    if (limits?.[name] !== undefined) warn(`limits.${name}`, message, 'leave it out');
}
