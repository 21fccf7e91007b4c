import { domainToASCII } from 'node:url';
import { normalizeAddress } from '../base/address.ts';

/** Labels as resolvers take them: the underscore is for services (RFC 8552). At most 253 characters. */
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The one spelling of a name in `domains`: lower case, punycode (RFC 5890), no trailing dot.
 * Takes `a.test`, `*.a.test`, `*`, and addresses. Undefined: it is none of these.
 */
export function normalizeDomain(text: string): string | undefined {
  if (text === '*') return '*';
  if (text.startsWith('*.')) {
    const parent = normalizeName(text.slice(2));
    return parent === undefined ? undefined : `*.${parent}`;
  }
  return normalizeAddress(text) ?? normalizeName(text);
}

function normalizeName(text: string): string | undefined {
  // domainToASCII would percent-decode and cut at '/', '?', '#': names have none of these.
  if (/[%/?#@:\\\s*[\]]/.test(text)) return undefined;
  const undotted = text.endsWith('.') ? text.slice(0, -1) : text;
  const plain = /^[a-z0-9._-]*$/i.test(undotted);
  const ascii = plain ? undotted.toLowerCase() : domainToASCII(undotted);
  if (ascii.length > 253 || normalizeAddress(ascii) !== undefined) return undefined;
  return ascii.split('.').every((part) => label.test(part)) ? ascii : undefined;
}

/** Whether every name that `inner` stands for is one that `outer` stands for. Both normalised. */
export function coversDomain(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true;
  if (!outer.startsWith('*.')) return false;
  const suffix = outer.slice(1);
  return inner.startsWith('*.') ? inner.slice(1).endsWith(suffix) : inner.endsWith(suffix);
}

/** The patterns that cover a normalised name or wildcard: itself, wildcards above it, `*`. */
export function coveringPatterns(domain: string): string[] {
  const patterns = [domain];
  const labels = (domain.startsWith('*.') ? domain.slice(2) : domain).split('.');
  for (let first = 1; first < labels.length; first++) patterns.push(`*.${labels.slice(first).join('.')}`);
  if (domain !== '*') patterns.push('*');
  return patterns;
}
