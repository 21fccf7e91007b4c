import * as z from 'zod';
import { normalizeAddress, parseCidr } from '../../base/address.ts';
import { normalizeDomain } from '../domain.ts';
import { normalizePathPattern } from '../request-path.ts';
import { choice, list, oneOrMore, record, table, text, wholeNumber } from './fields.ts';
import { headerName, isHeaderValue } from './http-text.ts';

export const cidrField = text(
  "an address or a CIDR, such as '10.0.0.0/8' or '2001:db8::1'",
  (value) => parseCidr(value) !== undefined,
);

const portField = wholeNumber('a port from 0 to 65535', 0, 65_535);

const portRangeField = record('a range, such as { from: 8000, to: 8010 }', {
  from: wholeNumber('a port from 1 to 65535', 1, 65_535),
  to: wholeNumber('a port from 1 to 65535', 1, 65_535),
}).refine((range) => range.from <= range.to, { error: 'a range whose `from` is not above its `to`' });

const portsField = oneOrMore(
  'a port, or a range such as { from: 8000, to: 8010 }',
  z.union([portField, portRangeField], { error: 'a port, or a range such as { from: 8000, to: 8010 }' }),
);

const domainField = text(
  "a name such as 'a.test', '*.a.test' (any name below a.test), or '*' (any name)",
  (value) => normalizeDomain(value) !== undefined,
);

const pathField = text(
  "a path such as '/login', or a prefix such as '/api/*', without '.' segments, '//', ';' or encoded slashes",
  (value) => normalizePathPattern(value) !== undefined,
);

const addressField = text(
  "an IP address of this machine, such as '127.0.0.1', or nothing for all of them",
  (value) => normalizeAddress(value) !== undefined,
);

const methodField = text("a method in capitals, such as 'GET'", (value) => /^[A-Z][A-Z-]*$/.test(value));

/** Which connections (or requests) a route is for. Every criterion that is given must hold. */
export const matchSchema = record("an object such as { ports: 443, domains: 'a.test' }", {
  ports: portsField.meta({
    description:
      'Where to listen: a port, a range, or a list of both. 0 is any free port; which one is told in `ready`.',
  }),
  address: addressField
    .meta({ description: 'The address to listen on.', defaultText: 'every address, IPv4 and IPv6' })
    .optional(),
  domains: oneOrMore("a name such as 'a.test' or '*.a.test'", domainField)
    .meta({
      description:
        'Names that the client asks for (server name of the ClientHello). `*.a.test` is any name below a.test; `*` is any name, or none.',
      defaultText: 'no name is needed',
    })
    .optional(),
  path: oneOrMore("a path such as '/login' or '/api/*'", pathField)
    .meta({
      description: 'HTTP only. Exact, or a prefix with `/*` (`/api/*` matches `/api` too).',
      defaultText: 'every path',
    })
    .optional(),
  methods: list("a list such as ['GET', 'HEAD']", methodField)
    .meta({ description: 'HTTP only. Request methods.', defaultText: 'every method' })
    .optional(),
  headers: table(
    "an object such as { 'x-version': '2' }",
    text("a text, such as '2'", isHeaderValue),
    headerName,
  )
    .meta({ description: 'HTTP only. Headers that a request must have, with exactly these values.' })
    .optional(),
  clientIp: list("a list such as ['10.0.0.0/8']", cidrField)
    .meta({ description: 'Addresses and CIDRs of clients.', defaultText: 'every client' })
    .optional(),
  protocol: choice(['tcp', 'tls', 'http'])
    .meta({
      description: 'What the first bytes must be. `tcp` takes any bytes.',
      defaultText: 'what the other fields imply',
    })
    .optional(),
  alpn: list("a list such as ['h2', 'http/1.1']", text("a protocol such as 'h2'"))
    .meta({
      description: 'TLS only. Application protocols, one of which the client must offer.',
      defaultText: 'any',
    })
    .optional(),
});
