import { normalizeAddress } from '../base/address.ts';
import type { Findings, Problem } from './problems.ts';
import { defaultCertificate } from './resolve-tls.ts';
import type { AcmeOptions, ResolvedRoute } from './resolved.ts';

/** Where authorities ask for HTTP-01, unless they are private. */
const httpPort = 80;

/**
 * What `auto` cannot do: order for names that nobody has said, or that no certificate can have, or
 * prove them in a way that is not there.
 */
export function checkAutomatic(routes: readonly ResolvedRoute[], acme: AcmeOptions | null): Findings {
  const options = acme ?? {};
  const findings: Findings = { problems: [], warnings: [] };
  if (options.challenge === 'dns-01' && options.dns === undefined) {
    findings.problems.push({
      path: 'certificates.acme.dns',
      message: "is missing: challenge 'dns-01' needs it",
      instead: "write { command: '/usr/local/bin/dns-hook' }, or another challenge",
    });
  }
  let wanted = 0;
  for (const route of routes) {
    for (const pattern of automaticPatterns(route)) {
      const problem = problemOf(pattern, options);
      if (problem === null) wanted++;
      else if (isHalfServed(route, pattern)) findings.warnings.push({ path: pathOf(route), ...onlyLocal });
      else findings.problems.push({ path: pathOf(route), ...problem });
    }
  }
  if (wanted > 0 && options.challenge === 'http-01') findings.warnings.push(...deafRoutes(routes, options));
  return findings;
}

/** Where nothing is said, local names and addresses have a certificate at any rate. */
function isHalfServed({ tls }: ResolvedRoute, pattern: string | null): boolean {
  return tls?.certificate.from === 'default' && (pattern === null || pattern === '*');
}

const onlyLocal = {
  message: 'is not given: only localhost, *.localhost, *.test and addresses get one here',
  instead: "write domains, certificates.acme.ask, certificate: 'local', or give files",
};

/** The patterns of a route whose certificates are ordered; null: it has none. */
function automaticPatterns({ tls, inheritsTls, match }: ResolvedRoute): (string | null)[] {
  if (tls === null || inheritsTls) return [];
  const { from } = tls.certificate;
  if (from !== 'auto' && from !== 'default') return [];
  return (match.domains ?? [null]).filter(
    (pattern) => from === 'auto' || pattern === null || defaultCertificate(pattern) === 'auto',
  );
}

function problemOf(
  pattern: string | null,
  { ask, dns }: AcmeOptions,
): Pick<Problem, 'message' | 'instead'> | null {
  if (pattern === null || pattern === '*') {
    if (ask !== undefined) return null;
    return {
      message: 'is not given, and nothing says for which names a certificate may be ordered',
      instead: "write domains, certificates.acme.ask, or certificate: 'local'",
    };
  }
  if (normalizeAddress(pattern) !== undefined) {
    return {
      message: `'auto' orders certificates for names, and ${pattern} is an address`,
      instead: "write 'local', or give files",
    };
  }
  if (pattern.includes('_')) {
    return {
      message: `no authority issues a certificate for ${pattern}: names in certificates have no underscore`,
      instead: "write another name, 'local', or give files",
    };
  }
  if (!pattern.startsWith('*.') || dns !== undefined || ask !== undefined) return null;
  return {
    message: `the wildcard ${pattern} can only be proved by DNS`,
    instead: 'write certificates.acme.dns, or certificates.acme.ask to order name by name',
  };
}

function pathOf({ order }: ResolvedRoute): string {
  return `routes[${order}].action.tls.certificate`;
}

/** A route that takes the port of HTTP-01 and does not read what is asked there. */
function deafRoutes(routes: readonly ResolvedRoute[], acme: AcmeOptions): Problem[] {
  const port = acme.httpPort ?? httpPort;
  const there = routes.filter(({ match }) => match.ports.some(({ from, to }) => from <= port && port <= to));
  const [route] = there;
  if (route === undefined || there.some(({ match }) => match.protocol !== 'tcp')) return [];
  return [
    {
      path: `routes[${route.order}].match.ports`,
      message: `'${route.name}' takes port ${port} and does not read HTTP, so 'http-01' cannot be answered there`,
      instead: "write protocol: 'http', or challenge: 'tls-alpn-01'",
    },
  ];
}
