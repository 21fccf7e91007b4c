import { isLoopback, normalizeAddress } from '../base/address.ts';

/** Where the admin API listens. */
export type AdminListen = { socket: string } | { address: string; port: number };

/** Reads `host:port`, where the host is an address or localhost, or `unix:/path`. Undefined: it is neither. */
export function parseAdminListen(text: string): AdminListen | undefined {
  if (text.startsWith('unix:')) return text.startsWith('unix:/') ? { socket: text.slice(5) } : undefined;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? '';
  const address = host === 'localhost' ? '127.0.0.1' : normalizeAddress(host);
  return address === undefined || !(port <= 65_535) ? undefined : { address, port };
}

/** The one spelling of a place to listen. */
export function formatAdminListen(listen: AdminListen): string {
  if ('socket' in listen) return `unix:${listen.socket}`;
  return listen.address.includes(':')
    ? `[${listen.address}]:${listen.port}`
    : `${listen.address}:${listen.port}`;
}

/** Whether only this machine can reach it: then no token is needed. */
export function isLocalOnly(listen: AdminListen): boolean {
  return 'socket' in listen || isLoopback(listen.address);
}
