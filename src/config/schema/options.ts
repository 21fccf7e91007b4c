import * as z from 'zod';
import { normalizeAddress } from '../../base/address.ts';
import type { DnsHook } from '../resolved.ts';
import { actionSchema } from './action.ts';
import { limitsSchema, timeoutsSchema } from './deadlines-and-limits.ts';
import { anyText, callback, choice, flag, list, record, text, wholeNumber } from './fields.ts';
import { cidrField, matchSchema } from './match.ts';

const cidrList = list("a list such as ['10.0.0.0/8']", cidrField);
/** An empty list means what it says where it names nobody: nobody is believed, or blocked. */
const cidrListOrNone = z.array(cidrField, { error: "a list such as ['10.0.0.0/8']" });

export const routeSchema = record("a route such as { name: 'web', match: {...}, action: {...} }", {
  name: text("a unique name of at most 200 characters, such as 'web'", (value) =>
    /^[^\p{Cc}]{1,200}$/u.test(value),
  ).meta({
    description: 'How logs, metrics and the API call the route. Unique.',
  }),
  match: matchSchema.meta({
    description: 'Which connections it is for: all criteria that are given must hold.',
  }),
  priority: z
    .int({ error: 'a whole number' })
    .meta({
      description: 'Higher wins; then the more specific match; then the order of the list.',
      default: 0,
    })
    .optional(),
  action: actionSchema.meta({ description: 'What happens to them.' }),
  security: record("an object such as { allow: ['10.0.0.0/8'] }", {
    allow: cidrList
      .meta({ description: 'Only these clients are let in.', defaultText: 'every client' })
      .optional(),
    block: cidrListOrNone
      .meta({ description: 'These clients are not, even where `allow` has them.' })
      .optional(),
  })
    .meta({
      description: 'Who may use the route. It is matched first; a refused client gets no other route.',
    })
    .optional(),
  limits: limitsSchema
    .meta({
      description:
        'Counts for this route alone (default 0: none of its own); byte limits default to those of the process.',
    })
    .optional(),
  timeouts: timeoutsSchema
    .meta({ description: 'Deadlines of this route; default: those of the process.' })
    .optional(),
}).meta({ id: 'Route', description: 'Which connections, and what happens to them.' });

const acmeSchema = record("an object such as { email: 'ops@a.test' }", {
  email: text("an address such as 'ops@a.test'", (value) => /^[^@\s]+@[^@\s]+$/.test(value))
    .meta({ description: 'Contact for the authority.' })
    .optional(),
  directories: list(
    'a list of URLs',
    text("a URL that begins with 'https://'", (value) => /^https:/.test(value) && URL.canParse(value)),
  )
    .meta({
      description: 'Directories of authorities: where one gives no certificate, the next is asked.',
      defaultText: "Let's Encrypt",
    })
    .optional(),
  challenge: choice(['http-01', 'tls-alpn-01', 'dns-01'])
    .meta({
      description: 'How names are proved. Wildcards always by `dns-01`.',
      defaultText:
        '`dns-01` where `dns` is given; else `tls-alpn-01` and `http-01` in turn, beginning with the former where a route of the name listens on 443',
    })
    .optional(),
  eab: record('{ keyId, hmacKey }', {
    keyId: text('a key id'),
    hmacKey: text('a key in base64url', (value) => /^[\w-]{16,}=*$/.test(value)),
  })
    .meta({
      description:
        'External account binding, for the authorities that ask for it, and for the one that is the only one.',
    })
    .optional(),
  dns: z
    .union(
      [
        record("{ command: '/usr/local/bin/dns-hook' }", { command: text('a command') }),
        z.custom<DnsHook>(
          (value) =>
            typeof (value as DnsHook | null)?.present === 'function' &&
            typeof (value as DnsHook).remove === 'function',
          { error: 'an object with functions `present` and `remove`', params: { kind: 'function' } },
        ),
      ],
      { error: '{ command }, or an object with functions `present` and `remove`' },
    )
    .meta({
      description:
        'For `dns-01`: a command that is run as `COMMAND present NAME VALUE` and `COMMAND remove NAME VALUE`, or an object with functions `present` and `remove`.',
    })
    .optional(),
  ask: z
    .union(
      [
        text('a URL', (value) => /^https?:\/\//.test(value)),
        callback<(name: string) => boolean | Promise<boolean>>(
          'a function of the name that gives true or false',
        ),
      ],
      { error: 'a URL, or a function of the name that gives true or false' },
    )
    .meta({
      description:
        'Whether a certificate is ordered when a client asks for a name that only a wildcard or `*` covers. A URL is asked with `?domain=NAME`: a status of 2xx is a yes.',
      defaultText: 'none is',
    })
    .optional(),
  rootFile: text("a path, such as 'root.pem'")
    .meta({
      description: 'Root to trust when speaking with authorities, beside those that Node knows.',
    })
    .optional(),
  profile: text('the name of a profile')
    .meta({ description: 'Certificate profile to ask for, where the authority has it.' })
    .optional(),
  keyType: choice(['p256', 'rsa2048'])
    .meta({ description: 'Keys of certificates: ECDSA P-256, or RSA with 2048 bits.', default: 'p256' })
    .optional(),
  httpPort: wholeNumber('a port from 1 to 65535', 1, 65_535)
    .meta({
      description:
        'The port that is opened for `http-01` while an order needs it, unless a route has it. Authorities come to port 80: another is for those behind port forwarding, and for private authorities.',
      default: 80,
    })
    .optional(),
  dnsServers: list(
    "a list such as ['10.0.0.53', '10.0.0.54:5353']",
    text("an address, with a port if it is not 53, such as '10.0.0.53:53'", isNameServer),
  )
    .meta({
      description: 'For `dns-01`: the name servers that must show the record before the authority is told.',
      defaultText: 'those of the zone',
    })
    .optional(),
}).meta({ id: 'AcmeOptions', description: 'How certificates are ordered (RFC 8555).' });

function isNameServer(text: string): boolean {
  const [, bracketed, host = bracketed, port = '53'] =
    /^(?:\[(.+)\]|([^[\]]+?))(?::(\d+))?$/.exec(text) ?? [];
  const isBare = normalizeAddress(text) !== undefined;
  return (
    isBare || (normalizeAddress(host ?? '') !== undefined && Number(port) >= 1 && Number(port) <= 65_535)
  );
}

const adminSchema = record("an object such as { listen: '127.0.0.1:9901' }", {
  listen: text("'host:port' or 'unix:/path', such as '127.0.0.1:9901'").meta({
    description: '`host:port`, where the host is an address, or `unix:/path`.',
  }),
  token: text('a secret text')
    .meta({ description: 'Asked from callers (`Authorization: Bearer`). Needed anywhere but on loopback.' })
    .optional(),
});

/** The whole configuration. The only description of it: types, checks, JSON Schema and docs derive from here. */
export const optionsSchema = record('an object such as { routes: [...] }', {
  $schema: anyText('a text').meta({ description: 'Address of the JSON Schema, for editors.' }).optional(),
  routes: z
    .array(routeSchema, { error: 'a list of routes' })
    .meta({ description: 'The routes. Names are unique.' }),
  timeouts: timeoutsSchema.meta({ description: 'Deadlines for all routes.' }).optional(),
  limits: limitsSchema.meta({ description: 'Limits for the whole process.' }).optional(),
  proxyProtocol: record("an object such as { trustedSources: ['10.0.0.0/8'] }", {
    trustedSources: cidrListOrNone.meta({
      description: 'Addresses and CIDRs that must send a PROXY header (v1 or v2), which is then believed.',
    }),
  })
    .meta({
      description:
        'From other addresses a PROXY header is ordinary first bytes: refused on TLS and HTTP ports, relayed unread on plain TCP.',
    })
    .optional(),
  certificates: record('an object such as { acme: { ... } }', {
    directory: text('a path')
      .meta({ description: 'Where certificates are kept.', defaultText: 'in `stateDirectory`' })
      .optional(),
    acme: acmeSchema.optional(),
    renewBeforeDays: wholeNumber('a whole number of days, 1 or more', 1)
      .meta({
        description: 'How long before its end a certificate is renewed.',
        unit: 'days',
        defaultText: 'a third of its life',
      })
      .optional(),
  })
    .meta({ description: 'Where certificates come from.' })
    .optional(),
  networkProxy: record("an object such as { bridge: 'in-process' }", {
    bridge: choice(['in-process', 'loopback'])
      .meta({
        description: 'Where TLS is terminated: in this process, or in one of its own.',
        default: 'in-process',
      })
      .optional(),
    port: wholeNumber('a port from 1 to 65535', 1, 65_535)
      .meta({ description: 'With `loopback`: the port of the other process.' })
      .optional(),
    secretFile: text('a path')
      .meta({ description: 'With `loopback`: file with the key that both processes share.' })
      .optional(),
    admin: z
      .union([adminSchema, z.literal(false)], {
        error: "an object such as { listen: '127.0.0.1:9902' }, or false",
      })
      .meta({
        description: 'With `loopback`: the admin API of the other process. `false`: none.',
        defaultText:
          'library: none; `smartproxy network-proxy`: the unix socket `network-proxy.sock` beside that of `smartproxy run`',
      })
      .optional(),
  })
    .meta({ description: 'The part that terminates TLS and speaks HTTP.' })
    .optional(),
  nftables: record('an object such as { keepOnExit: true }', {
    instance: text('a name of 1 to 32 small letters, digits and underscores', (value) =>
      /^[a-z0-9_]{1,32}$/.test(value),
    )
      .meta({
        description:
          'Names the table, `inet smartproxy_INSTANCE`. Each process of one machine that has routes with engine `nftables` needs a name of its own.',
        default: 'main',
      })
      .optional(),
    manageSysctls: flag()
      .meta({
        description:
          'Whether forwarding is switched on in the kernel where it is off, rather than asked for.',
        default: false,
      })
      .optional(),
    keepOnExit: flag()
      .meta({
        description:
          'Whether the kernel goes on forwarding when this process ends, until the next one takes over.',
        default: false,
      })
      .optional(),
  })
    .meta({ description: 'Forwarding in the kernel, for all routes with engine `nftables`.' })
    .optional(),
  admin: z
    .union([adminSchema, z.literal(false)], {
      error: "an object such as { listen: '127.0.0.1:9901' }, or false",
    })
    .meta({
      description: 'The admin API. `false`: none.',
      defaultText: 'library: none; `smartproxy run`: a unix socket that the commands find',
    })
    .optional(),
  log: record("an object such as { level: 'info' }", {
    level: choice(['debug', 'info', 'warn', 'error'])
      .meta({ description: 'The least level that is written.', default: 'info' })
      .optional(),
    connections: flag()
      .meta({ description: 'A line at the end of each connection.', default: true })
      .optional(),
    requests: flag()
      .meta({ description: 'A line at the end of each HTTP request.', default: false })
      .optional(),
  })
    .meta({ description: 'What is logged.' })
    .optional(),
  metrics: flag()
    .meta({
      description:
        'Figures by route and reason, durations, rates and the last minutes, for `/metrics`, the dashboard and `top`. Without them the totals of the statistics are left. A change needs a restart.',
      default: true,
    })
    .optional(),
  stateDirectory: text('a path, such as /var/lib/smartproxy')
    .meta({
      description: 'Where is kept what must survive a restart.',
      defaultText: '`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/smartproxy`, else `~/.local/state/smartproxy`',
    })
    .optional(),
  trustForwarded: cidrListOrNone
    .meta({
      description:
        'HTTP only. Clients whose `X-Forwarded-*` and `Forwarded` are kept and appended to; those of everybody else are replaced.',
      defaultText: 'nobody',
    })
    .optional(),
}).meta({ title: 'SmartProxy configuration' });
