import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { propagation, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { Route } from '../../src/config/schema.ts';
import { loadTracing } from '../../src/tracing/tracing.ts';
import { tcp } from '../smart-proxy/routes.ts';
import { Stage, type StagedProxy } from '../smart-proxy/stage.ts';
import { programPath } from '../support/debian.ts';
import { eventually } from '../support/eventually.ts';
import { httpRoute, type Seen, siteRoute, startNodeServer, tellSeen } from '../support/http-fixture.ts';
import { scoped } from '../support/scoped.ts';
import { Workspace } from '../support/workspace.ts';

const exporter = new InMemorySpanExporter();

/** Spans of one name, once there are so many. */
async function spans(name: RegExp, count: number): Promise<ReadableSpan[]> {
  const found = (): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => name.test(span.name));
  await eventually(`${count} spans ${name}`, () => found().length >= count);
  assert.equal(found().length, count);
  return found();
}

test('without an SDK nothing is traced, and nothing is passed on but what the client sent', async (t) => {
  assert.equal(await loadTracing(), null);
  const { seen } = await askThroughProxy(t, { traceparent: strangeParent });
  assert.equal(seen.headers.traceparent, strangeParent);
});

const strangeTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
const strangeParent = `00-${strangeTrace}-00f067aa0ba902b7-01`;

/** One request through a proxy to a backend that tells what it saw. */
async function askThroughProxy(
  t: TestContext,
  headers: Record<string, string>,
): Promise<{ seen: Seen; staged: StagedProxy }> {
  const workspace = Workspace.of(t, 'tracing');
  const backend = await startNodeServer(workspace, (request, response) => void tellSeen(request, response));
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([httpRoute('web', backend)], {
    stateDirectory: workspace.path('state'),
  });
  const client = stage.connect(staged.port);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(`GET /path?query=1 HTTP/1.1\r\nHost: a.test\r\n${lines.join('')}Connection: close\r\n\r\n`);
  await eventually('the answer is there', () => client.text.endsWith('}'));
  client.end();
  await staged.ended();
  return { seen: JSON.parse(client.text.slice(client.text.indexOf('{'))) as Seen, staged };
}

test('with an SDK', async (t) => {
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  t.beforeEach(() => exporter.reset());

  await t.test(
    'a request belongs to the trace that its client names, and its backend learns of it',
    async (t) => {
      const headers = { traceparent: strangeParent, tracestate: 'vendor=1', 'x-other': 'stays' };
      const { seen, staged } = await askThroughProxy(t, headers);
      const [request] = (await spans(/^GET web$/, 1)) as [ReadableSpan];
      assert.equal(request.kind, SpanKind.SERVER);
      assert.equal(request.spanContext().traceId, strangeTrace);
      assert.equal(request.parentSpanContext?.spanId, '00f067aa0ba902b7');
      assert.equal(seen.headers.traceparent, `00-${strangeTrace}-${request.spanContext().spanId}-01`);
      assert.equal(seen.headers.tracestate, 'vendor=1');
      assert.equal(seen.headers['x-other'], 'stays');
      const { attributes } = request;
      assert.deepEqual(
        [attributes['http.request.method'], attributes['url.path'], attributes['server.address']],
        ['GET', '/path', 'a.test'],
      );
      assert.deepEqual(
        [attributes['http.response.status_code'], attributes['smartproxy.route'], attributes['error.type']],
        [200, 'web', undefined],
      );
      const [connection] = (await spans(/^connection$/, 1)) as [ReadableSpan];
      assert.deepEqual(
        request.links.map(({ context }: { context: SpanContext }) => context.spanId),
        [connection.spanContext().spanId],
      );
      assert.notEqual(connection.spanContext().traceId, strangeTrace, 'it may carry many traces');
      assert.equal(connection.attributes['smartproxy.connection.id'], staged.endings[0]?.id);
      assert.equal(connection.attributes['smartproxy.requests'], 1);
    },
  );

  await t.test('a request without a trace begins one', async (t) => {
    const { seen } = await askThroughProxy(t, {});
    const [request] = (await spans(/^GET web$/, 1)) as [ReadableSpan];
    assert.equal(request.parentSpanContext, undefined);
    const { traceId, spanId } = request.spanContext();
    assert.equal(seen.headers.traceparent, `00-${traceId}-${spanId}-01`);
  });

  await t.test('a connection tells its trail, its ending and whose fault it was', async (t) => {
    const stage = scoped(t, new Stage());
    const backend = await stage.echo();
    const staged = await stage.proxy([tcp(backend.port), tcp(await stage.deadPort(), { name: 'dead' })]);
    await stage.connect(staged.portOf('tcp')).end('hello').gone();
    await stage.connect(staged.portOf('dead')).end('x').gone();
    const [good, bad] = (await spans(/^connection$/, 2)) as [ReadableSpan, ReadableSpan];
    assert.deepEqual(
      good.events.map(({ name }) => name),
      ['accepted', 'routed', 'dialing', 'connected', 'client-ended', 'target-ended', 'ending'].filter(
        (what) => staged.endings[0]?.events.some((event) => event.what === what),
      ),
    );
    assert.equal(good.status.code, SpanStatusCode.UNSET);
    assert.equal(good.attributes['smartproxy.reason'], 'client-closed');
    assert.equal(good.attributes['smartproxy.bytes.from_client'], 5);
    assert.equal(good.attributes['smartproxy.route'], 'tcp');
    assert.equal(bad.status.code, SpanStatusCode.ERROR);
    assert.match(bad.status.message ?? '', /ECONNREFUSED/);
    assert.deepEqual(
      [bad.attributes['smartproxy.initiator'], bad.attributes['smartproxy.phase']],
      ['target', 'dialing'],
    );
  });

  await t.test('a request that fails, by HTTP/2 too, is a failed span', async (t) => {
    const [told, [failed]] = await askByHttp2(t, '/', /^GET a\.test$/);
    assert.match(told, /502/);
    assert.equal(failed?.status.code, SpanStatusCode.ERROR);
    assert.deepEqual(
      [failed?.attributes['http.response.status_code'], failed?.attributes['error.type']],
      [502, 'connect-refused'],
    );
    assert.equal(failed?.attributes['network.protocol.version'], '2');
  });

  await t.test('a handler is told of the trace as a backend is', async (t) => {
    const [told, [handled]] = await askByHttp2(t, '/handled', /^GET handled$/);
    const { traceId = '', spanId = '' } = handled?.spanContext() ?? {};
    assert.equal(told, `00-${traceId}-${spanId}-01`);
  });
});

/** What curl got from a site with a dead backend and a handler, and the span of its request. */
async function askByHttp2(t: TestContext, path: string, name: RegExp): Promise<[string, ReadableSpan[]]> {
  const workspace = Workspace.of(t, 'tracing');
  const stage = scoped(t, new Stage());
  const handled: Route = {
    name: 'handled',
    match: { ports: 0, address: '127.0.0.1', domains: 'a.test', path: '/handled' },
    action: {
      type: 'handler',
      handle(stream) {
        stream.once('data', (head: Buffer) => {
          const body = /^traceparent: (.*)\r$/im.exec(head.toString())?.[1] ?? 'nothing';
          stream.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        });
      },
    },
  };
  const staged = await stage.proxy([siteRoute('a.test', await stage.deadPort()), handled], {
    stateDirectory: workspace.path('state'),
  });
  const where = ['--connect-to', `::127.0.0.1:${staged.portOf('a.test')}`, `https://a.test${path}`];
  const told = await workspace.run(programPath('curl'), ['-sk', '--http2', ...where]);
  return [told, await spans(name, 1)];
}
