import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { errorCode, errorMessage, SmartProxyError } from '../../base/errors.ts';
import { loadCertificate } from '../../certificates/pem.ts';
import { ConfigurationError, formatProblem, type Problem } from '../../config/problems.ts';
import type { ResolvedCertificate, ResolvedOptions, ResolvedRoute } from '../../config/resolved.ts';
import { durationWords, grouped } from '../../connection/story/words.ts';
import { compileRoutes } from '../../routing/route-index.ts';
import { portHolder } from '../../smart-proxy/port-holder.ts';
import { checkBridge } from './bridge-checks.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

const dayMs = 86_400_000;
/** Files are renewed by somebody, who may need some days. */
const nearExpiryMs = 14 * dayMs;
/** More are not tried one by one. */
const mostPorts = 100;
const littleSpaceBytes = 100 * 1024 * 1024;

/** Everything that a configuration asks of the machine. */
export async function checkConfiguration(
  options: ResolvedOptions,
  { descriptorLimit, now, ownPid }: { descriptorLimit: number; now: number; ownPid: number | null },
): Promise<Finding[]> {
  return [
    checkConnections(options, descriptorLimit),
    ...(await checkPorts(options, ownPid)),
    ...(await checkCertificates(options.routes, now)),
    checkState(options.stateDirectory),
    ...(await checkBridge(options.networkProxy)),
  ];
}

/** A configuration that cannot be used: each problem for itself. */
export function configurationProblems(error: unknown): Finding[] {
  if (!(error instanceof ConfigurationError)) {
    const advice = 'name one with --config FILE, or go into its folder';
    return [problem('configuration', errorMessage(error), advice)];
  }
  return error.problems.map((found: Problem) =>
    problem(
      'configuration',
      formatProblem({ path: found.path, message: found.message }, error.file),
      found.instead ?? 'smartproxy check',
    ),
  );
}

function checkConnections({ limits }: ResolvedOptions, descriptorLimit: number): Finding {
  const { maxConnections } = limits;
  const needed = 2 * maxConnections;
  const message = `maxConnections is ${grouped(maxConnections)}, which takes ${grouped(needed)} of ${grouped(descriptorLimit)} descriptors`;
  if (maxConnections === 0)
    return note('maxConnections', 'maxConnections is 0: only descriptors limit connections');
  if (needed <= descriptorLimit) return ok('maxConnections', message);
  return warning(
    'maxConnections',
    `${message}: beyond those clients are reset (resource-exhausted)`,
    `lower it to ${Math.floor(descriptorLimit * 0.4)}, or allow ${needed + 1_024} open files (LimitNOFILE=)`,
  );
}

interface Place {
  readonly address: string | null;
  readonly port: number;
}

async function checkPorts({ routes }: ResolvedOptions, ownPid: number | null): Promise<Finding[]> {
  const places = compileRoutes(routes).listeners.filter(({ port }) => port !== 0);
  const findings: Finding[] = [];
  for (const place of places.slice(0, mostPorts)) findings.push(await checkPort(place, ownPid));
  const unable = findings.filter(({ level }) => level !== 'ok');
  const usable = findings.length - unable.length;
  const summary =
    usable > 0 ? [ok('ports', `${usable} of ${places.length} ports are free, or the instance's own`)] : [];
  return [...summary, ...unable];
}

async function checkPort(place: Place, ownPid: number | null): Promise<Finding> {
  const where = `${place.address ?? '*'}:${place.port}`;
  const failure = await tryToListen(place);
  if (failure === null) return ok('ports', `${where} is free`);
  if (errorCode(failure) === 'EACCES') {
    const advice =
      'run as root, or grant it: setcap cap_net_bind_service=+ep, AmbientCapabilities=CAP_NET_BIND_SERVICE';
    return problem('ports', `this user may not listen on ${where}`, advice);
  }
  const holder = portHolder(place.port);
  if (ownPid !== null && holder?.endsWith(`(pid ${ownPid})`))
    return ok('ports', `the instance listens on ${where}`);
  if (errorCode(failure) !== 'EADDRINUSE')
    return problem(
      'ports',
      `cannot listen on ${where}: ${errorMessage(failure)}`,
      'is the address one of this machine?',
    );
  return problem(
    'ports',
    `${where} is taken by ${holder ?? 'another process'}`,
    'end that program, or choose another port',
  );
}

/** Why nobody can listen there now; null: one can. */
function tryToListen({ address, port }: Place): Promise<Error | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error));
    server.listen({ port, ...(address !== null && { host: address }), exclusive: true }, () => {
      server.close(() => resolve(null));
    });
  });
}

type OwnCertificate = Extract<ResolvedCertificate, { from: 'files' | 'inline' }>;

/** Those that the configuration brings. What is issued or ordered is renewed by the proxy itself. */
async function checkCertificates(routes: readonly ResolvedRoute[], now: number): Promise<Finding[]> {
  const own = routes.flatMap(({ name, tls }) =>
    tls !== null && isOwn(tls.certificate) ? [{ name, certificate: tls.certificate }] : [],
  );
  const findings: Finding[] = [];
  for (const { name, certificate } of own) findings.push(...(await checkCertificate(name, certificate, now)));
  return findings;
}

function isOwn(certificate: ResolvedCertificate): certificate is OwnCertificate {
  return certificate.from === 'files' || certificate.from === 'inline';
}

async function checkCertificate(route: string, source: OwnCertificate, now: number): Promise<Finding[]> {
  try {
    const { certificate, warnings } = await loadCertificate(source, now);
    const notes = warnings.map((text) =>
      warning('certificates', `route ${route}: ${text}`, 'replace the file; it is read again by itself'),
    );
    return notes.length > 0 ? notes : [expiry(route, certificate.validToMs - now)];
  } catch (error) {
    const code = error instanceof SmartProxyError ? error.code : 'certificate-unusable';
    return [
      problem('certificates', `route ${route}: ${errorMessage(error)}`, `see ${code} in docs/errors.md`),
    ];
  }
}

function expiry(route: string, leftMs: number): Finding {
  const message = `the certificate of route ${route} is valid for ${durationWords(leftMs)}`;
  return leftMs < nearExpiryMs ? warning('certificates', message, 'renew it') : ok('certificates', message);
}

/** Certificates and what was counted survive restarts there. */
function checkState(folder: string): Finding {
  const existing = nearestExisting(folder);
  try {
    accessSync(existing, constants.W_OK);
  } catch {
    return problem('state', `this user may not write in ${existing}`, 'chown it, or set stateDirectory');
  }
  const { bavail, bsize } = statfsSync(existing);
  const left = bavail * bsize;
  if (left > littleSpaceBytes) return ok('state', `${folder} can be written`);
  return warning(
    'state',
    `${folder} has ${grouped(left)} bytes left`,
    'make room: new certificates are kept there',
  );
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}
