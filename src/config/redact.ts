const mask = '***';

/** Keys whose values are secrets wherever they stand. */
const secretKeys = new Set(['token', 'hmackey', 'key']);

/** Headers whose values are secrets, in tables of headers (and harmless elsewhere: no option has these names). */
const secretHeader = /^(?:proxy-)?authorization$|^(?:set-)?cookie$|token|secret|password|api-?key/i;

/** Keys that look like secrets and are none. */
const harmlessKeys = new Set(['keyid', 'keyfile', 'secretfile']);

/**
 * A copy of a configuration, or of a part of it, that can be shown to anybody: secrets are `***`,
 * and functions are named instead of printed.
 */
export function redact(value: unknown): unknown {
  if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`;
  if (typeof value === 'string') return value.includes('PRIVATE KEY-----') ? mask : maskUserInfo(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  if (isSecretEdit(value)) return { ...value, values: [mask] };
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isSecret(key) && inner !== null ? mask : redact(inner),
    ]),
  );
}

/** `https://user:password@host/`. */
function maskUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*@/i, `$1${mask}@`);
}

/** A change of a header's values, as a resolved configuration has it. */
function isSecretEdit(value: object): boolean {
  const { name, values } = value as { name?: unknown; values?: unknown };
  return typeof name === 'string' && Array.isArray(values) && secretHeader.test(name);
}

function isSecret(key: string): boolean {
  const lower = key.toLowerCase();
  return !harmlessKeys.has(lower) && (secretKeys.has(lower) || secretHeader.test(lower));
}
