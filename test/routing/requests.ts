import * as fc from 'fast-check';
import type { ResolvedTls } from '../../src/config/resolved.ts';
import type { SiteRequest } from '../../src/routing/http-site.ts';

/** TLS that ends here, for clients without certificates. */
export const plainTls: ResolvedTls = {
  certificate: { from: 'local' },
  clientAuth: null,
  alpn: ['h2', 'http/1.1'],
  minVersion: 'TLSv1.2',
};

/** The same for clients with certificates. */
export const mutualTls: ResolvedTls = { ...plainTls, clientAuth: { ca: '/clients.pem', required: true } };

export interface RequestSketch extends Partial<Omit<SiteRequest, 'field'>> {
  fields?: Readonly<Record<string, string>>;
}

/** A GET of `/` at a.test from 10.0.0.1, but for what a test says. */
export function requestOf({ fields = {}, ...sketch }: RequestSketch = {}): SiteRequest {
  return {
    ...{ host: 'a.test', path: '/', method: 'GET', clientIp: '10.0.0.1' },
    ...sketch,
    field: (name) => fields[name],
  };
}

const segments = ['a', 'b', 'admin', '%61', '..', '.', '', 'a;x', '..;', 'a%2Fb', 'a\\b', '%2e%2E', 'x'];

/** Paths that servers read in one way, and in several. */
export const anyPath = fc
  .array(fc.constantFrom(...segments), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join('/')}`);

export const anyPathPattern = fc.constantFrom(
  '/*',
  '/a',
  '/a/*',
  '/a/b',
  '/a/b/*',
  '/admin/*',
  '/admin',
  '/x',
);
