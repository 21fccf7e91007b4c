import { normalizeAddress } from '../base/address.ts';

/**
 * The name in a Host field or an `:authority`, as routes compare it: without the port, in lower
 * case, without a dot at its end; addresses in their one spelling. Null where there is none.
 * What was refused as invalid before need not come here.
 */
export function requestName(authority: string): string | null {
  if (authority.charCodeAt(0) === 0x5b) {
    const address = authority.slice(1, authority.indexOf(']'));
    return normalizeAddress(address) ?? address.toLowerCase();
  }
  const colon = authority.indexOf(':');
  let end = colon < 0 ? authority.length : colon;
  if (end > 0 && authority.charCodeAt(end - 1) === 0x2e) end--;
  if (end === 0) return null;
  const name = (end === authority.length ? authority : authority.slice(0, end)).toLowerCase();
  return isDigit(name.charCodeAt(end - 1)) ? (normalizeAddress(name) ?? name) : name;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
