import { joinBytes } from '../first-bytes.ts';
import type { Choices } from '../random.ts';
import type { RouteName } from './routes.ts';

/** One request of a client: what it means, and the bytes that say it. */
export interface RequestPlan {
  /** Unique in its world; in the path, so that whoever sees the request knows it. */
  readonly token: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';
  readonly version: '1.0' | '1.1';
  readonly route: RouteName | 'nowhere' | 'stranger' | 'ambiguous';
  readonly expects: boolean;
  readonly upgrade: boolean;
  /** The client says that it is its last one on the connection. */
  readonly last: boolean;
  /** Where it is malformed: nobody may act on what comes from there on. */
  readonly fault: 'head' | 'body' | null;
  readonly body: Uint8Array;
  readonly head: Uint8Array;
  /** The body as it goes over the wire. */
  readonly content: Uint8Array;
}

const methods = { GET: 6, POST: 4, HEAD: 1, PUT: 2, DELETE: 1, OPTIONS: 0.5 } as const;

const routeShares = {
  web: 12,
  pair: 4,
  few: 2,
  proxied: 2,
  computed: 1,
  strip: 2,
  guarded: 1,
  page: 1,
  moved: 0.5,
  closed: 0.2,
  reset: 0.2,
  old: 2,
  nowhere: 0.7,
  stranger: 0.3,
  ambiguous: 0.3,
} as const;

/** @param awaits whether routes with promises take part */
export function requestPlan(choices: Choices, token: string, awaits: boolean): RequestPlan {
  const method = choices.weighted(methods);
  const version = choices.weighted({ '1.0': 0.08, '1.1': 0.92 });
  const route = choices.weighted({ ...routeShares, awaited: awaits ? 6 : 0 });
  const upgrade = version === '1.1' && method === 'GET' && choices.chance(0.12);
  const framing = framingFor(choices, method, version);
  const fault = choices.chance(0.04) ? 'head' : framing === 'chunked' && choices.chance(0.06) ? 'body' : null;
  const body = framing === 'none' ? new Uint8Array(0) : choices.bytes(bodySize(choices));
  const expects = framing !== 'none' && version === '1.1' && choices.chance(0.15);
  const last = choices.chance(0.08);
  const shape = { token, method, version, route, expects, upgrade, last, framing, body };
  const content = framing === 'chunked' ? inChunks(choices, body, fault === 'body') : body;
  const lines = headLines(choices, shape);
  const head = ascii(fault === 'head' ? spoilt(choices, lines) : `${lines.join('\r\n')}\r\n\r\n`);
  return { token, method, version, route, expects, upgrade, last, fault, body, head, content };
}

type Framing = 'none' | 'length' | 'chunked';

function framingFor(choices: Choices, method: string, version: string): Framing {
  if (method !== 'POST' && method !== 'PUT') return choices.chance(0.03) ? 'length' : 'none';
  if (version === '1.0') return 'length';
  return choices.of<Framing>(['length', 'length', 'chunked', 'none']);
}

function bodySize(choices: Choices): number {
  return choices.of([
    0,
    choices.between(1, 20),
    choices.between(1, 300),
    choices.between(300, 3_000),
    choices.between(300, 9_000),
  ]);
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

function headLines(
  choices: Choices,
  shape: Pick<
    RequestPlan,
    'token' | 'method' | 'version' | 'route' | 'expects' | 'upgrade' | 'last' | 'body'
  > & {
    framing: Framing;
  },
): string[] {
  const { method, version, framing, upgrade } = shape;
  const lines = [`${method} ${targetOf(shape)} HTTP/${version}`];
  lines.push(`Host: ${shape.route === 'stranger' ? 'b.test' : 'a.test'}`);
  if (framing === 'length') lines.push(`Content-Length: ${shape.body.length}`);
  if (framing === 'chunked') lines.push('Transfer-Encoding: chunked');
  if (shape.expects) lines.push('Expect: 100-continue');
  if (choices.chance(0.2)) lines.push('X-Forwarded-For: 203.0.113.66');
  if (choices.chance(0.2)) lines.push(`X-Padding: ${'p'.repeat(choices.between(1, 120))}`);
  const options = upgrade ? ['Upgrade'] : [];
  if (shape.last && version === '1.1') options.push('close');
  if (!shape.last && version === '1.0') options.push('keep-alive');
  if (choices.chance(0.1)) {
    options.push('x-private');
    lines.push('X-Private: between the two of us');
  }
  if (options.length > 0) lines.push(`Connection: ${options.join(', ')}`);
  if (upgrade) lines.push('Upgrade: echo');
  return lines;
}

function targetOf({ route, token }: Pick<RequestPlan, 'route' | 'token'>): string {
  if (route === 'ambiguous') return `/web/%2e%2e/guarded/${token}`;
  return `/${route === 'stranger' ? 'web' : route}/${token}?q=1`;
}

/** Heads that two readers could understand differently, or nobody at all (H1, H2). */
function spoilt(choices: Choices, lines: readonly string[]): string {
  const [startLine = '', ...fields] = lines;
  const end = '\r\n\r\n';
  const framed = [startLine, ...fields.filter((line) => !/^(Content-Length|Transfer-E)/.test(line))];
  const withField = (field: string): string => `${framed.join('\r\n')}\r\n${field}${end}`;
  return choices.of([
    () => withField('Content-Length: 5\r\nTransfer-Encoding: chunked'),
    () => withField('Content-Length: 5\r\nContent-Length: 6'),
    () => withField('Content-Length: +5'),
    () => withField('Transfer-Encoding: xchunked'),
    () => withField('X-Space : y'),
    () => withField(' folded'),
    () => withField('X-Nul: \0'),
    () => withField('Host: c.test'),
    () => `${lines.join('\r\n')}\r\nX-Bare: a\nX-Lf: b${end}`,
    () => `${startLine.replace(/1\.\d$/, '1.1')}\r\nX-No: host${end}`,
    () => `${startLine.replace(/1\.\d$/, '1.7')}\r\n${fields.join('\r\n')}${end}`,
    () => `${startLine.replace(/^\S+/, 'BREW')}\r\n${fields.join('\r\n')}${end}`,
    () => `${startLine.replace('?', ' ?')}\r\n${fields.join('\r\n')}${end}`,
    () => withField(`X-Huge: ${'h'.repeat(7_000)}`),
  ])();
}

function inChunks(choices: Choices, body: Uint8Array, spoil: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  const spoiltAt = spoil ? choices.between(0, 2) : -1;
  let from = 0;
  for (let chunk = 0; from < body.length && chunk !== spoiltAt; chunk++) {
    const size = choices.between(1, body.length - from);
    parts.push(ascii(`${size.toString(16)}${choices.chance(0.1) ? ';name=value' : ''}\r\n`));
    parts.push(body.subarray(from, from + size), ascii('\r\n'));
    from += size;
  }
  if (spoil) parts.push(spoiltChunk(choices, body.subarray(from)));
  parts.push(ascii(choices.chance(0.2) ? '0\r\nX-Sum: 1\r\n\r\n' : '0\r\n\r\n'));
  return joinBytes(parts);
}

/** What is no chunk, or one that is longer than it says. */
function spoiltChunk(choices: Choices, rest: Uint8Array): Uint8Array {
  if (rest.length > 1 && choices.chance(0.3))
    return joinBytes([ascii(`${(rest.length - 1).toString(16)}\r\n`), rest, ascii('\r\n')]);
  return ascii(choices.of(['xyz\r\n', '5\nabcde\r\n', '5 \r\nabcde\r\n', 'fffffffffffffffff\r\n']));
}

/** Whether it may be done twice without harm (RFC 9110 §9.2.2). */
export function isIdempotent({ method }: Pick<RequestPlan, 'method'>): boolean {
  return method !== 'POST';
}
