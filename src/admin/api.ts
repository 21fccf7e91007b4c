import { normalizeAddress, parseCidr } from '../base/address.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import { legalMoves } from '../base/termination.ts';
import { connectionOrders } from '../connection/connection-query.ts';
import type { ControlPort } from './control-port.ts';
import type { LiveFeed } from './live/live-feed.ts';
import { explainedReasons } from './reasons.ts';
import { failure, ok, type Reply } from './reply.ts';

/** A request that has passed the guard. */
export interface ApiRequest {
  readonly method: string;
  /** Decoded segments of the path; none for `/`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

type Handler = (control: ControlPort, request: ApiRequest, feed: LiveFeed) => Reply | Promise<Reply>;
type Resource = Readonly<Partial<Record<'GET' | 'POST' | 'DELETE', Handler>>>;

/** More than one process can have. */
const maxConnections = 1_000_000;
/** Records of one answer: as many as are kept. */
const maxTerminations = 1_000;
const defaultTerminations = 100;
/** As many as are kept. */
const maxHistorySeconds = 300;
const defaultHistorySeconds = 60;
const maxTargetLength = 2_048;
const maxIdLength = 128;
const maxNameLength = 255;

/** By path; `*` stands for one segment. */
const resources: Readonly<Record<string, Resource>> = {
  health: { GET: () => ok({ status: 'ok' }) },
  ready: { GET: readiness },
  'api/v1/stream': { GET: watch },
  'api/v1/reasons': { GET: async () => ok({ reasons: await explainedReasons() }) },
  'api/v1/statistics': { GET: (control) => ok(control.statistics()) },
  'api/v1/connections': { GET: listConnections },
  'api/v1/connections/*': { GET: showConnection, DELETE: endConnection },
  'api/v1/terminations': { GET: listTerminations },
  'api/v1/instance': { GET: (control) => ok(control.instance()) },
  'api/v1/configuration': { GET: (control) => ok(control.configuration()) },
  'api/v1/history': { GET: showHistory },
  'api/v1/routes': { GET: (control) => ok({ routes: control.routes() }) },
  'api/v1/certificates': { GET: (control) => ok({ certificates: control.certificates() }) },
  metrics: { GET: showMetrics },
  'api/v1/certificates/*/renew': { POST: renewCertificate },
  'api/v1/explain': { GET: explain },
  'api/v1/reload': { POST: reload },
  'api/v1/drain': { POST: drain },
};

/** Answers one call. Rejects with what the proxy threw. */
export async function answer(control: ControlPort, request: ApiRequest, feed: LiveFeed): Promise<Reply> {
  const resource = resources[pathKey(request.path)];
  if (resource === undefined) return failure(404, 'not-found', 'there is nothing at this path');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const handler = Object.hasOwn(resource, method) ? resource[method as keyof Resource] : undefined;
  if (handler !== undefined) return handler(control, request, feed);
  const allowed = Object.keys(resource).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  const message = `${request.method.slice(0, 20)} is not possible here`;
  return failure(405, 'method-not-allowed', message, { allow: allowed.join(', ') });
}

function pathKey(path: readonly string[]): string {
  const key = path.join('/');
  if (Object.hasOwn(resources, key)) return key;
  const pattern = [...path.slice(0, 3), '*', ...path.slice(4)].join('/');
  return path.length > 3 && Object.hasOwn(resources, pattern) ? pattern : '';
}

/** The live stream: live/messages.ts says what is in it. */
function watch(_control: ControlPort, _request: ApiRequest, feed: LiveFeed): Reply {
  if (feed.full)
    return failure(503, 'too-many-viewers', 'as many watch as are allowed to', { 'retry-after': '5' });
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };
  return { status: 200, headers, stream: (output) => feed.watch(output) };
}

function readiness(control: ControlPort): Reply {
  const { state } = control;
  return state === 'ready' ? ok({ status: 'ok' }) : { status: 503, body: { status: state } };
}

function listConnections(control: ControlPort, { query }: ApiRequest): Reply {
  const limit = readNumber(query, 'limit', maxConnections);
  if (limit === undefined || limit < 1) return failure(400, 'invalid-query', 'limit is a number from 1');
  const sort = query.get('sort') ?? 'started';
  const order = connectionOrders.find((name) => name === sort.replace(/^-/, ''));
  if (order === undefined) {
    const orders = connectionOrders.join(', ');
    return failure(400, 'invalid-query', `sort is one of ${orders}, with '-' for the largest first`);
  }
  const clients = query.get('client')?.split(',');
  if (clients?.some((client) => parseCidr(client) === undefined))
    return failure(400, 'invalid-query', 'client is an address, a CIDR, or a list of them with commas');
  const state = query.get('state');
  if (state !== null && !Object.hasOwn(legalMoves, state))
    return failure(400, 'invalid-query', `state is one of ${Object.keys(legalMoves).join(', ')}`);
  const { connections, total } = control.findConnections({
    ...texts(query, 'route', 'state', 'name'),
    ...(clients !== undefined && { clients }),
    ...{ order, descending: sort.startsWith('-'), limit },
  });
  return { status: 200, name: 'connections', items: connections, others: { total } };
}

/** Those of the parameters that are given. */
function texts(query: URLSearchParams, ...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])),
  );
}

function showConnection(control: ControlPort, { path }: ApiRequest): Reply {
  const connection = control.connection(idOf(path));
  return connection === undefined ? noConnection() : ok(connection);
}

function endConnection(control: ControlPort, { path }: ApiRequest): Reply {
  const id = idOf(path);
  return control.terminate(id) ? ok({ id, terminated: true }) : noConnection();
}

async function renewCertificate(control: ControlPort, { path }: ApiRequest): Promise<Reply> {
  const name = (path[3] ?? '').slice(0, maxNameLength);
  try {
    return ok({ certificate: await control.renewCertificate(name) });
  } catch (error) {
    if (errorCode(error) !== 'no-such-certificate') throw error;
    return failure(404, 'no-such-certificate', errorMessage(error));
  }
}

function idOf(path: readonly string[]): string {
  return (path.at(-1) ?? '').slice(0, maxIdLength);
}

function noConnection(): Reply {
  return failure(404, 'no-such-connection', 'no connection with this id is known, or it has ended already');
}

/** With `after`, an earlier answer's `total`: only those that have ended since then. */
function listTerminations(control: ControlPort, { query }: ApiRequest): Reply {
  const limit = readNumber(query, 'limit', defaultTerminations);
  if (limit === undefined || limit < 1)
    return failure(400, 'invalid-query', `limit is a number from 1 to ${maxTerminations}`);
  const after = readNumber(query, 'after', 0);
  if (after === undefined) return failure(400, 'invalid-query', "after is the 'total' of an earlier answer");
  return ok(control.terminations(Math.min(limit, maxTerminations), after));
}

function showHistory(control: ControlPort, { query }: ApiRequest): Reply {
  const seconds = readNumber(query, 'seconds', defaultHistorySeconds);
  if (seconds === undefined || seconds < 1)
    return failure(400, 'invalid-query', `seconds is a number from 1 to ${maxHistorySeconds}`);
  return ok({ samples: control.history(Math.min(seconds, maxHistorySeconds)) });
}

/** Undefined: it is no number. */
function readNumber(query: URLSearchParams, name: string, missing: number): number | undefined {
  const text = query.get(name);
  if (text === null) return missing;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function showMetrics(control: ControlPort): Promise<Reply> {
  const metrics = await control.metrics();
  if (metrics === null) return failure(404, 'metrics-off', 'nothing is measured: the configuration says so');
  return {
    status: 200,
    content: Buffer.from(metrics.text),
    headers: { 'content-type': metrics.contentType },
  };
}

async function explain(control: ControlPort, { query }: ApiRequest): Promise<Reply> {
  const target = query.get('target') ?? '';
  if (target === '' || target.length > maxTargetLength) {
    return failure(400, 'invalid-query', 'target is missing or too long: write ?target=tls://a.test:443');
  }
  const client = query.get('client');
  if (client === null) return ok(await control.explain(target));
  const address = normalizeAddress(client);
  if (address === undefined) return failure(400, 'invalid-query', 'client is no IP address');
  return ok(await control.explain(target, address));
}

async function reload(control: ControlPort): Promise<Reply> {
  await control.reload();
  return ok({ status: 'reloaded' });
}

async function drain(control: ControlPort): Promise<Reply> {
  await control.drain();
  return { status: 202, body: { status: 'draining' } };
}
