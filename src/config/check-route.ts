import { normalizeAddress } from '../base/address.ts';
import { checkHttp, writtenTargets } from './check-http.ts';
import { checkKernelRoute } from './check-kernel-route.ts';
import type { Findings, Problem } from './problems.ts';
import type { ForwardAction, Route, Target } from './schema.ts';

/** What is wrong or doubtful in one route whose shape is right. `path` is the route's. */
export function checkRoute(route: Route, path: string): Findings {
  const { action } = route;
  const kernel = action.type === 'forward' && action.engine === 'nftables';
  const findings = kernel ? checkKernelRoute(route, action, path) : checkConnections(route, path);
  checkLimits(route, path, findings.warnings);
  if (action.type === 'forward') checkForward(action, `${path}.action`, findings.problems);
  return findings;
}

/** What this process is to do with the bytes of connections. */
function checkConnections(route: Route, path: string): Findings {
  const findings: Findings = { problems: checkHttp(route, path), warnings: [] };
  checkProtocol(route, path, findings.problems);
  checkNames(route, path, findings.warnings);
  checkPassthrough(route, path, findings.warnings);
  return findings;
}

/** Criteria that the protocol cannot give. */
function checkProtocol({ match, action }: Route, path: string, problems: Problem[]): void {
  const { protocol } = match;
  const terminates =
    action.type === 'forward'
      ? action.tls !== undefined && action.tls.mode !== 'passthrough'
      : action.type !== 'block' && action.tls !== undefined;
  for (const field of ['domains', 'alpn'] as const) {
    if (match[field] === undefined) continue;
    const impossible = protocol === 'tcp' || (protocol === 'http' && field === 'alpn');
    if (impossible) {
      problems.push({
        path: `${path}.match.${field}`,
        message: `cannot be told on protocol '${protocol}'`,
        instead: `leave ${field} out, or write protocol: 'tls'`,
      });
    }
  }
  if ('tls' in action && action.tls !== undefined && protocol !== undefined && protocol !== 'tls') {
    problems.push({
      path: `${path}.match.protocol`,
      message: `'${protocol}' contradicts action.tls`,
      instead: "leave it out, or write 'tls'",
    });
  }
  checkRequestCriteria(match, action, terminates, path, problems);
}

function checkRequestCriteria(
  match: Route['match'],
  action: Route['action'],
  terminates: boolean,
  path: string,
  problems: Problem[],
): void {
  const encrypted =
    action.type === 'forward' && (action.tls?.mode === 'passthrough' || match.protocol === 'tls');
  if (terminates || !(match.protocol === 'tcp' || encrypted)) return;
  for (const field of ['path', 'methods', 'headers'] as const) {
    if (match[field] === undefined) continue;
    problems.push({
      path: `${path}.match.${field}`,
      message: 'needs HTTP that SmartProxy can read',
      instead: encrypted ? "write tls: { mode: 'terminate' }" : "write protocol: 'http'",
    });
  }
}

function checkNames({ match, action }: Route, path: string, warnings: Problem[]): void {
  const domains = typeof match.domains === 'string' ? [match.domains] : (match.domains ?? []);
  const ownCertificate = 'tls' in action && action.tls !== undefined && !isPassthrough(action);
  for (const [index, domain] of domains.entries()) {
    const place = typeof match.domains === 'string' ? '' : `[${index}]`;
    if (normalizeAddress(domain) !== undefined) {
      warnings.push({
        path: `${path}.match.domains${place}`,
        message: `TLS clients send no server name for an address, so ${domain} rarely matches`,
        instead: 'leave domains out; match.address is where to listen',
      });
    } else if (domain.startsWith('*.') && ownCertificate) {
      warnings.push({
        path: `${path}.match.domains${place}`,
        message: `${domain} also matches names with more labels, which a wildcard certificate does not cover`,
      });
    }
  }
}

/** What SmartProxy would do in a handshake that it takes no part in, such as asking for certificates. */
function checkPassthrough({ action }: Route, path: string, warnings: Problem[]): void {
  if (!('tls' in action) || action.tls === undefined || !isPassthrough(action)) return;
  for (const field of ['certificate', 'clientAuth', 'alpn', 'minVersion'] as const) {
    if (action.tls[field] === undefined) continue;
    warnings.push({
      path: `${path}.action.tls.${field}`,
      message: 'has no effect where TLS is passed through: the handshake is the target’s',
      instead: "leave it out, or write mode: 'terminate'",
    });
  }
}

function isPassthrough(action: Route['action']): boolean {
  return action.type === 'forward' && action.tls?.mode === 'passthrough';
}

function checkLimits({ limits }: Route, path: string, warnings: Problem[]): void {
  warnings.push(...uncappedBuffers(limits, `${path}.limits`));
  if (limits?.relayBufferBytes !== undefined) {
    warnings.push({
      path: `${path}.limits.relayBufferBytes`,
      message: 'has no effect in a route: the buffers are shared by all connections',
      instead: 'write it in the limits of the process',
    });
  }
}

/** Byte limits that are off: each lets one client fill the memory. */
export function uncappedBuffers(limits: Route['limits'], path: string): Problem[] {
  return (['initialDataBytes', 'pendingBytesPerConnection', 'headerBytes'] as const)
    .filter((field) => limits?.[field] === 0)
    .map((field) => ({
      path: `${path}.${field}`,
      message: '0 removes the bound on the memory that one client can take',
    }));
}

function checkForward(action: ForwardAction, path: string, problems: Problem[]): void {
  if ((action.target === undefined) === (action.targets === undefined)) {
    const both = action.target !== undefined;
    problems.push({
      path: both ? `${path}.targets` : `${path}.target`,
      message: both ? 'is given beside target' : 'is missing',
      instead: both ? 'keep one of them' : "write target: { host: '127.0.0.1', port: 3000 }, or targets",
    });
  }
  for (const { target, field } of writtenTargets(action)) checkTarget(target, `${path}.${field}`, problems);
  if (action.engine !== 'nftables' && action.nftables !== undefined) {
    problems.push({
      path: `${path}.nftables`,
      message: 'says how the kernel forwards, which this route does not ask for',
      instead: "leave it out, or write engine: 'nftables'",
    });
  }
}

function checkTarget(target: Target, path: string, problems: Problem[]): void {
  const hasAddress = target.host !== undefined || target.port !== undefined;
  if (target.socket !== undefined) {
    if (hasAddress) {
      problems.push({
        path: `${path}.socket`,
        message: 'is given beside host or port',
        instead: 'keep socket alone, or host and port',
      });
    }
    return;
  }
  if (!hasAddress) {
    problems.push({ path, message: 'says nowhere to go', instead: 'write host and port, or socket' });
  } else if (target.host === undefined) {
    problems.push({
      path: `${path}.host`,
      message: 'is missing',
      instead: "write a host such as '127.0.0.1'",
    });
  } else if (target.port === undefined) {
    problems.push({ path: `${path}.port`, message: 'is missing', instead: "write a port, or 'preserve'" });
  }
}
