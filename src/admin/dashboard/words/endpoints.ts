/** `192.0.2.1:443`, `[2001:db8::1]:443`; a unix socket has a path and no port. */
export function endpoint(host: string, port: number): string {
  if (port === 0) return host === '' ? '–' : host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
