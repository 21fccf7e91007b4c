import { STATUS_CODES } from 'node:http';

const methods: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
]);

/** Made once, because requests are counted by them. */
export interface StatusLabels {
  /** `200`. What nobody has registered is its class: backends may make up codes. */
  readonly code: string;
  /** `2xx`. */
  readonly kind: string;
}

const none: StatusLabels = { code: 'none', kind: 'none' };
const statuses = new Map(Object.keys(STATUS_CODES).map((code) => [Number(code), labelsOf(code)]));
const classes = Array.from({ length: 10 }, (_, digit) => labelsOf(`${digit}xx`));

function labelsOf(code: string): StatusLabels {
  return { code, kind: `${code.charAt(0)}xx` };
}

/** Clients may make up methods: what HTTP itself does not define is `other`. */
export function methodLabel(method: string): string {
  return methods.has(method) ? method : 'other';
}

/** `none`: the client left before there was a status. */
export function statusLabels(status: number | null): StatusLabels {
  if (status === null) return none;
  return statuses.get(status) ?? classes[Math.floor(status / 100)] ?? none;
}
