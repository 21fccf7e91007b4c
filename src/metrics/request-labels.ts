import { STATUS_CODES } from 'node:http';

const methods: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
]);

const statuses = new Map(Object.keys(STATUS_CODES).map((code) => [Number(code), code]));

/** Clients may make up methods: what HTTP itself does not define is `other`. */
export function methodLabel(method: string): string {
  return methods.has(method) ? method : 'other';
}

/** Backends may make up codes: what nobody has registered is its class. `none`: the client left before. */
export function statusLabel(status: number | null): string {
  if (status === null) return 'none';
  return statuses.get(status) ?? `${Math.floor(status / 100)}xx`;
}

/** `200` and its kind are `2xx`. */
export function statusClass(label: string): string {
  return label === 'none' ? label : `${label.charAt(0)}xx`;
}
