import type { Duplex } from 'node:stream';
import * as z from 'zod';
import { normalizePath } from '../request-path.ts';
import type { RouteContext } from '../resolved.ts';
import { anyText, callback, choice, flag, list, record, table, text, wholeNumber } from './fields.ts';
import {
  editedName,
  expectedHeaderValue,
  isHeaderValue,
  isHostHeader,
  isRedirectTarget,
  ownHeaders,
} from './http-text.ts';

const pathOfFile = text("a path, such as '/etc/smartproxy/a.pem'");
const pemOrPath = text("a path, or PEM that begins with '-----BEGIN'");

const certificateField = z.union(
  [
    choice(['auto', 'local']),
    record("{ certFile: 'a.pem', keyFile: 'a.key' }", { certFile: pathOfFile, keyFile: pathOfFile }),
    record('{ cert, key } as PEM', {
      cert: text('a certificate chain as PEM'),
      key: text('a private key as PEM'),
    }),
  ],
  { error: "'auto', 'local', { certFile, keyFile }, or { cert, key }" },
);

const tlsFields = {
  certificate: certificateField
    .meta({
      description: '`auto` orders one by ACME, `local` makes one for development; files, or inline PEM.',
      defaultText: '`local` for localhost, *.localhost, *.test and addresses, else `auto`',
    })
    .optional(),
  clientAuth: record("an object such as { ca: 'clients.pem' }", {
    ca: pemOrPath.meta({ description: 'Path or PEM of the authority that signs clients’ certificates.' }),
    required: flag()
      .meta({ description: 'Whether a client without a certificate is refused.', default: true })
      .optional(),
  })
    .meta({ description: 'Certificates asked from clients.' })
    .optional(),
  alpn: list("a list such as ['h2', 'http/1.1']", text("a protocol such as 'h2'"))
    .meta({ description: 'Application protocols to offer, in order of preference.' })
    .optional(),
  minVersion: choice(['TLSv1.2', 'TLSv1.3'])
    .meta({ description: 'The oldest TLS version that is accepted.', default: 'TLSv1.2' })
    .optional(),
};

const tlsSchema = record("an object such as { certificate: 'local' }", tlsFields).meta({
  id: 'Tls',
  description: 'How SmartProxy itself speaks TLS with clients.',
});

const forwardTlsSchema = record("an object such as { mode: 'passthrough' }", {
  mode: choice(['passthrough', 'terminate', 'terminate-and-reencrypt']).meta({
    description:
      '`passthrough` relays the encrypted bytes untouched; `terminate` decrypts; `terminate-and-reencrypt` also speaks TLS to the target.',
  }),
  ...tlsFields,
}).meta({ id: 'ForwardTls', description: 'What happens to TLS on its way to the target.' });

const hostField = text("a host name or an address, such as '10.0.0.1'", (value) =>
  /^[^\s/:]+$|^[0-9a-f:.[\]]+$/i.test(value),
);

const targetSchema = record("an object such as { host: '127.0.0.1', port: 3000 }", {
  host: z
    .union(
      [
        hostField,
        list("a list such as ['10.0.0.1', '10.0.0.2']", hostField),
        callback<(context: RouteContext) => string | Promise<string>>(
          'a function of the RouteContext that gives a host',
        ),
      ],
      { error: "a host such as '10.0.0.1', a list of them, or a function" },
    )
    .meta({
      description:
        'Name or address. A list is shorthand for equal targets. A function gets the RouteContext, and has `connectMs`.',
    })
    .optional(),
  port: z
    .union(
      [
        wholeNumber('a port from 1 to 65535', 1, 65_535),
        z.literal('preserve', { error: "'preserve'" }),
        callback<(context: RouteContext) => number | Promise<number>>(
          'a function of the RouteContext that gives a port',
        ),
      ],
      { error: "a port from 1 to 65535, 'preserve', or a function" },
    )
    .meta({ description: "`'preserve'` is the port that the client connected to." })
    .optional(),
  socket: text("the path of a unix socket, such as '/run/app.sock'")
    .meta({ description: 'Path of a unix socket, instead of `host` and `port`.' })
    .optional(),
  weight: wholeNumber('a whole number from 1 to 1000', 1, 1000)
    .meta({ description: 'Share of the connections, compared with the other targets.', default: 1 })
    .optional(),
  protocol: choice(['http1', 'http2', 'auto'])
    .meta({ description: 'HTTP only. What is spoken with the target.', default: 'auto' })
    .optional(),
  dns: choice(['system', 'resolver'])
    .meta({
      description:
        '`system` asks as other programs do (answers kept for 30 s); `resolver` asks DNS and honours TTLs.',
      default: 'system',
    })
    .optional(),
  tls: record("an object such as { serverName: 'a.test' }", {
    ca: pemOrPath.meta({ description: 'Path or PEM of the authority to trust.' }).optional(),
    certFile: pathOfFile.meta({ description: 'Client certificate to show.' }).optional(),
    keyFile: pathOfFile.meta({ description: 'Its private key.' }).optional(),
    serverName: text("a name such as 'a.test'")
      .meta({ description: 'Name to ask for and to verify.' })
      .optional(),
    verify: flag().meta({ description: 'Whether the certificate is verified.', default: true }).optional(),
  })
    .meta({ description: 'With `terminate-and-reencrypt`: TLS towards the target.' })
    .optional(),
}).meta({ id: 'Target', description: 'Where connections go: `host` and `port`, or `socket`.' });

const headerText = text(expectedHeaderValue, isHeaderValue);

const headerValue = z.union([headerText, list('a list of texts', headerText)], {
  error: 'a text, or a list of texts',
});

export const headerEditsSchema = record("an object such as { set: { 'x-a': '1' } }", {
  set: table("an object such as { 'x-a': '1' }", headerValue, editedName)
    .meta({ description: 'Headers to replace.' })
    .optional(),
  add: table("an object such as { 'x-a': '1' }", headerValue, editedName)
    .meta({ description: 'Headers to add beside those that are there.' })
    .optional(),
  remove: list("a list such as ['x-a']", editedName).meta({ description: 'Headers to drop.' }).optional(),
}).meta({ id: 'HeaderEdits', description: 'Changes to headers: `remove`, then `set`, then `add`.' });

export const forwardSchema = record('a forward action', {
  type: z.literal('forward'),
  target: targetSchema
    .meta({ description: 'The target. Exactly one of `target` and `targets` is given.' })
    .optional(),
  targets: list('a list of targets', targetSchema)
    .meta({
      description: 'Several targets, chosen in turn by weight; after a failed dial the next is tried.',
    })
    .optional(),
  tls: forwardTlsSchema.optional(),
  engine: choice(['node', 'nftables'])
    .meta({ description: 'Who moves the bytes: this process, or the kernel.', default: 'node' })
    .optional(),
  nftables: record("an object such as { source: 'keep' }", {
    source: choice(['masquerade', 'keep'])
      .meta({
        description:
          'Whose address the targets see: this machine’s, or the client’s. With `keep` the targets must route their answers through this machine.',
        default: 'masquerade',
      })
      .optional(),
    balance: choice(['in-turn', 'client-address'])
      .meta({
        description:
          'How one of several targets is chosen, by weight: in turn, or the same one for each client address.',
        default: 'in-turn',
      })
      .optional(),
  })
    .meta({ description: 'With engine `nftables`: how the kernel forwards.' })
    .optional(),
  sendProxyProtocol: z
    .union([z.literal(1), z.literal(2)], { error: '1 or 2' })
    .meta({ description: 'Version of the PROXY header sent to the target.', defaultText: 'none is sent' })
    .optional(),
  http: record("an object such as { stripPrefix: '/api' }", {
    headers: record('an object such as { request: { remove: [...] } }', {
      request: headerEditsSchema.optional(),
      response: headerEditsSchema.optional(),
    })
      .meta({ description: 'Changes to headers, each way.' })
      .optional(),
    hostHeader: text("'preserve', 'target', or a name such as 'a.test'", isHostHeader)
      .meta({ description: '`preserve`, `target`, or the name to send.', default: 'preserve' })
      .optional(),
    stripPrefix: text("a path such as '/api'", (value) => normalizePath(value) !== undefined)
      .meta({
        description:
          'What to cut from the beginning of the path, where a segment ends: `/api` of `/api/x`, not of `/apix`.',
      })
      .optional(),
  })
    .meta({ description: 'HTTP only.' })
    .optional(),
}).meta({ id: 'ForwardAction', description: 'Forwards to a target.' });

export const redirectSchema = record('a redirect action', {
  type: z.literal('redirect'),
  to: text("a URL or a path, such as 'https://{host}{path}{query}'", isRedirectTarget).meta({
    description: 'Where to. `{host}`, `{path}` and `{query}` (with its `?`) stand for those of the request.',
  }),
  status: z
    .union([z.literal(301), z.literal(302), z.literal(307), z.literal(308)], {
      error: '301, 302, 307 or 308',
    })
    .meta({ description: 'Status of the answer.', default: 308 })
    .optional(),
  tls: tlsSchema.optional(),
}).meta({ id: 'RedirectAction', description: 'Answers HTTP requests with a redirect.' });

export const respondSchema = record('a respond action', {
  type: z.literal('respond'),
  status: wholeNumber('a status from 200 to 599', 200, 599).meta({ description: 'Status of the answer.' }),
  headers: table("an object such as { 'content-type': 'text/plain' }", headerText, ownHeaders)
    .meta({ description: 'Headers of the answer.' })
    .optional(),
  body: anyText('a text').meta({ description: 'Body of the answer.', default: '' }).optional(),
  tls: tlsSchema.optional(),
}).meta({ id: 'RespondAction', description: 'Answers HTTP requests itself.' });

export const blockSchema = record('a block action', {
  type: z.literal('block'),
  how: choice(['close', 'reset'])
    .meta({ description: '`close` sends FIN, `reset` sends RST.', default: 'close' })
    .optional(),
}).meta({ id: 'BlockAction', description: 'Refuses the connection.' });

export const handlerSchema = record('a handler action', {
  type: z.literal('handler'),
  handle: callback<(stream: Duplex, context: RouteContext) => void | Promise<void>>(
    'a function (stream, context), in a TypeScript or JavaScript configuration',
  ).meta({
    description:
      'Gets the connection as a Duplex and its RouteContext; the connection ends when the stream does. Chosen by request, it gets the request, and gives the answer, as HTTP/1.1.',
    typeText: 'function',
  }),
  tls: tlsSchema.optional(),
}).meta({
  id: 'HandlerAction',
  description: 'Gives the connection, or each request, to a function of yours.',
});

const expectedAction = "an action such as { type: 'forward', target: { host: '127.0.0.1', port: 3000 } }";

export const actionSchema = z.discriminatedUnion(
  'type',
  [forwardSchema, redirectSchema, respondSchema, blockSchema, handlerSchema],
  { error: expectedAction },
);
