import assert from 'node:assert/strict';
import { afterEach, describe, it, mock } from 'node:test';
import { type AdminApi, ApiError } from '../../../src/admin/dashboard/admin-api/admin-api.ts';
import { LiveStream } from '../../../src/admin/dashboard/live/live-stream.ts';
import { eventually } from '../../support/eventually.ts';

const snapshot = `event: snapshot\ndata: ${JSON.stringify({
  ...{ state: 'ready', at: 1, pools: [], configuration: 0, version: '1', measured: true, tickMs: 1_000 },
  ...{ samples: [], rows: [], endings: [], counters: {}, audit: {} },
})}\n\n`;
const bye = 'event: bye\ndata: {"reason":"stopped"}\n\n';

/** What a server would be: it answers each call with what was made ready for it. */
class TestServer {
  readonly calls: AbortSignal[] = [];
  readonly answers: (Response | Error)[] = [];

  readonly api = {
    open: async (_path: string, signal: AbortSignal): Promise<Response> => {
      this.calls.push(signal);
      const answer = this.answers.shift() ?? new TypeError('nobody answers');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as AdminApi;
}

/** An answer that stays open, and what writes to it. */
function openAnswer(): { answer: Response; say: (text: string) => void; end: () => void } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  return {
    answer: new Response(body),
    say: (text) => controller?.enqueue(new TextEncoder().encode(text)),
    end: () => controller?.close(),
  };
}

function start(...answers: (Response | Error)[]): { server: TestServer; stream: LiveStream } {
  const server = new TestServer();
  server.answers.push(...answers);
  const stream = new LiveStream(server.api);
  mock.timers.enable({ apis: ['setTimeout'] });
  stream.start();
  return { server, stream };
}

/** Lets promises settle while time stands still. */
async function becomes(stream: LiveStream, status: LiveStream['status']): Promise<void> {
  for (let turn = 0; turn < 1_000 && stream.status !== status; turn++) await new Promise(setImmediate);
  assert.equal(stream.status, status);
}

afterEach(() => mock.timers.reset());

describe('the live stream of the page', () => {
  it('is live with the first message, and tells everybody who listens', async () => {
    const { answer, say } = openAnswer();
    const { stream } = start(answer);
    let heard = 0;
    const end = stream.subscribe(() => heard++);
    say(snapshot.slice(0, 40));
    say(snapshot.slice(40));
    await becomes(stream, 'live');
    assert.deepEqual([stream.state.version, heard], ['1', 1]);
    end();
    stream.rest();
  });

  it('is lost when it ends, and tries again ever later', async () => {
    const first = openAnswer();
    const { server, stream } = start(first.answer);
    first.say(snapshot);
    await becomes(stream, 'live');
    first.end();
    await becomes(stream, 'lost');
    for (const [wait, calls] of [
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
      [3_999, 3],
      [1, 4],
    ] as const) {
      mock.timers.tick(wait);
      await new Promise(setImmediate);
      assert.equal(server.calls.length, calls);
    }
    const last = openAnswer();
    server.answers.push(last.answer);
    mock.timers.tick(8_000);
    last.say(snapshot);
    await becomes(stream, 'live');
    stream.rest();
  });

  it('waits for a token, and asks for nothing meanwhile', async () => {
    const { server, stream } = start(new ApiError(401, 'token-required', 'no'));
    await becomes(stream, 'refused');
    mock.timers.tick(100_000);
    await new Promise(setImmediate);
    assert.equal(server.calls.length, 1);
  });

  it('knows a goodbye, and waits for the proxy to come back', async () => {
    const first = openAnswer();
    const { server, stream } = start(first.answer);
    first.say(snapshot + bye);
    first.end();
    await becomes(stream, 'stopped');
    const second = openAnswer();
    server.answers.push(second.answer);
    await eventually('it asks again', () => {
      mock.timers.tick(1_000);
      return server.calls.length === 2;
    }).catch(() => assert.fail('never asked again'));
    second.say(snapshot);
    await becomes(stream, 'live');
    stream.rest();
  });

  it('gives up a server that says nothing any more', async () => {
    const { answer, say } = openAnswer();
    const { stream } = start(answer);
    say(snapshot);
    await becomes(stream, 'live');
    mock.timers.tick(15_000);
    await becomes(stream, 'lost');
    stream.rest();
  });

  it('asks for nothing while it rests, and has one call at a time', async () => {
    const first = openAnswer();
    const { server, stream } = start(first.answer);
    first.say(snapshot);
    await becomes(stream, 'live');
    stream.rest();
    assert.deepEqual([stream.resting, server.calls[0]?.aborted], [true, true]);
    mock.timers.tick(100_000);
    await new Promise(setImmediate);
    assert.equal(server.calls.length, 1);
    const second = openAnswer();
    server.answers.push(second.answer);
    stream.start();
    stream.start();
    assert.equal(server.calls.filter(({ aborted }) => !aborted).length, 1);
    stream.rest();
  });
});
