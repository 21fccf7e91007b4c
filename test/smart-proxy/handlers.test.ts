import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, Writable } from 'node:stream';
import { test } from 'node:test';
import type { RouteContext } from '../../src/config/resolved.ts';
import { buildHello } from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { acting } from './routes.ts';
import { Stage } from './stage.ts';

type Handle = (stream: Duplex, context: RouteContext) => void | Promise<void>;

const handler = (handle: Handle, name = 'handler') => acting({ type: 'handler', handle }, { name });

test('a handler gets the stream and the context, and its end is the ending', async (t) => {
  const stage = scoped(t, new Stage());
  const contexts: RouteContext[] = [];
  const staged = await stage.proxy([
    handler(async (stream, context) => {
      contexts.push(context);
      const [request] = (await once(stream, 'data')) as [Buffer];
      stream.end(`you said ${request}`);
    }),
  ]);
  const client = stage.connect(staged.port).send('hello');
  assert.equal(await client.ending(), 'fin');
  await client.gets('you said hello');
  client.end();
  const { id, bytes } = await staged.endedAs('handler-ended');
  assert.deepEqual(bytes, { fromClient: 5, toClient: 14 });
  const [context] = contexts;
  assert.deepEqual(
    [context?.connectionId, context?.route, context?.localPort, context?.client.ip, context?.tls],
    [id, 'handler', staged.portOf('handler') || 0, '127.0.0.1', false],
  );
});

// L24
test('a handler that throws at once, or rejects early or late, ends its own connection only', async (t) => {
  const stage = scoped(t, new Stage());
  const failures: Record<string, Handle> = {
    throws: () => {
      throw new Error('thrown');
    },
    rejects: async () => {
      throw new Error('rejected');
    },
    'rejects-late': async (stream) => {
      stream.write('so far so good');
      await once(stream, 'data');
      throw new Error('rejected late');
    },
    'destroys-with-error': (stream) => {
      stream.destroy(new Error('destroyed'));
    },
    'throws-nothing': () => Promise.reject(undefined),
  };
  const staged = await stage.proxy([
    handler((stream) => void stream.pipe(stream), 'echo'),
    ...Object.entries(failures).map(([name, handle]) => handler(handle, name)),
  ]);
  const bystander = stage.connect(staged.portOf('echo')).send('still ');
  await bystander.gets('still ');
  for (const [index, name] of Object.keys(failures).entries()) {
    const client = stage.connect(staged.portOf(name)).send('x');
    assert.equal(await client.ending(), 'reset', name);
    const { termination, route } = await staged.ended(index + 1);
    assert.deepEqual([route, termination?.reason], [name, 'handler-failed']);
  }
  bystander.end('here');
  await bystander.gets('still here');
  await staged.ended(6);
});

// L24
test('a listener of the stream that throws ends its own connection only', async (t) => {
  const stage = new Stage();
  t.after(() => stage[Symbol.asyncDispose]());
  const fail = (): void => {
    throw new Error('thrown in a listener');
  };
  const failures: Record<string, Handle> = {
    data: (stream) => void stream.on('data', fail),
    readable: (stream) => void stream.on('readable', fail),
    end: (stream) => void stream.on('end', fail).resume(),
    close: (stream) => void stream.on('close', fail).destroy(new Error('destroyed')),
  };
  const staged = await stage.proxy(Object.entries(failures).map(([name, handle]) => handler(handle, name)));
  for (const [index, name] of Object.keys(failures).entries()) {
    const client = stage.connect(staged.portOf(name));
    client.end('x');
    assert.equal(await client.ending(), 'reset', name);
    const { termination } = await staged.ended(index + 1);
    assert.equal(termination?.reason, 'handler-failed', name);
  }
});

// L24
test('a handler that answered early still reads everything, however slowly', async (t) => {
  const stage = new Stage();
  t.after(() => stage[Symbol.asyncDispose]());
  const read: Record<string, number> = { pipes: 0, reads: 0, iterates: 0 };
  const ends: string[] = [];
  const take = (name: string, chunk: Uint8Array): void => {
    read[name] = (read[name] ?? 0) + chunk.length;
  };
  const pipes: Handle = (stream) => {
    const sink = new Writable({
      highWaterMark: 1,
      write: (chunk, _encoding, done) => {
        take('pipes', chunk);
        setImmediate(done);
      },
    });
    stream.pipe(sink).on('finish', () => ends.push('pipes'));
    stream.end('ok');
  };
  const reads: Handle = (stream) => {
    stream.on('readable', () => {
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) take('reads', chunk);
    });
    stream.on('end', () => ends.push('reads')).end('ok');
  };
  const iterates: Handle = async (stream) => {
    stream.end('ok');
    for await (const chunk of stream) {
      take('iterates', chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    ends.push('iterates');
  };
  const handles = { pipes, reads, iterates };
  const staged = await stage.proxy(Object.entries(handles).map(([name, handle]) => handler(handle, name)));
  for (const name of Object.keys(handles)) {
    const client = stage.connect(staged.portOf(name)).send(Buffer.alloc(200_000));
    await client.gets('ok');
    client.end(Buffer.alloc(300_000));
  }
  await staged.ended(3);
  // What the client sent last may still be in the stream, which outlives the connection for it.
  await eventually('everything was read', () => ends.length === 3);
  assert.deepEqual(read, { pipes: 500_000, reads: 500_000, iterates: 500_000 });
  assert.deepEqual(ends.toSorted(), ['iterates', 'pipes', 'reads']);
  assert.deepEqual(staged.reasons(), { 'handler-ended': 3 });
});

// L24
test('a slow handler loses no first byte', async (t) => {
  const stage = scoped(t, new Stage());
  const hello = buildHello({ serverName: 'slow.test' });
  const go = Promise.withResolvers<void>();
  const route = acting(
    {
      type: 'handler',
      async handle(stream, context) {
        await go.promise;
        assert.equal(context.serverName, 'slow.test');
        stream.pipe(stream);
      },
    },
    { domains: 'slow.test' },
  );
  const staged = await stage.proxy([{ ...route, match: { ...route.match, protocol: 'tls' } }]);
  const client = stage.connect(staged.port).send(hello).send('and more');
  await staged.inState('established');
  client.end(', and a FIN');
  await eventually('the FIN or the bytes wait', () => (staged.live[0]?.bytes.fromClient ?? 0) > 0);
  go.resolve();
  await client.gets(Buffer.concat([hello, Buffer.from('and more, and a FIN')]));
  assert.equal(await client.ending(), 'fin');
  await staged.endedAs('client-closed');
});

test('a handler hears of a reset, by its stream and by the signal', async (t) => {
  const stage = scoped(t, new Stage());
  const heard: string[] = [];
  const staged = await stage.proxy([
    handler((stream, { signal }) => {
      stream.on('error', ({ message }) => heard.push(message)).on('close', () => heard.push('close'));
      signal.addEventListener('abort', () => heard.push('abort'));
      stream.resume();
    }),
  ]);
  const client = stage.connect(staged.port).send('x');
  await staged.inState('established');
  client.reset();
  await staged.endedAs('client-reset in established');
  await eventually('it heard everything', () => heard.length === 3);
  assert.deepEqual(heard.toSorted()[0], 'abort');
});

test('a handler that destroys its stream without an error has its words delivered', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    handler((stream) => {
      stream.write('goodbye', () => stream.destroy());
    }),
  ]);
  const client = stage.connect(staged.port);
  assert.equal(await client.ending(), 'fin');
  await client.gets('goodbye');
  client.end();
  await staged.endedAs('handler-ended');
});

test('a handler that is left by its client in mid-answer ends with it', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    handler((stream) => {
      const chunk = Buffer.alloc(65_536);
      const fill = (): void => {
        while (!stream.destroyed && stream.write(chunk));
      };
      stream.on('drain', fill).on('error', () => {});
      fill();
    }),
  ]);
  const client = stage.connect(staged.port);
  await eventually('it comes', () => client.receivedBytes > 1_000_000);
  client.reset();
  await staged.endedAs('client-reset in established');
});

// L25
test('an end and a reset of the same socket in the same tick free the descriptor', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    handler((stream) => {
      stream.end();
      stream.destroy(new Error('changed its mind'));
    }, 'end-then-reset'),
    handler((stream) => {
      stream.end('some last words');
      stream.destroy(new Error('changed its mind'));
    }, 'write-end-then-reset'),
    handler((stream, context) => {
      stream.end();
      staged.proxy.control.terminate(context.connectionId);
    }, 'end-then-terminate'),
  ]);
  let count = 0;
  for (const name of ['end-then-reset', 'write-end-then-reset', 'end-then-terminate']) {
    for (let round = 0; round < 10; round++) {
      const client = stage.connect(staged.portOf(name));
      await client.ending();
      client.end();
      await staged.ended(++count);
    }
  }
  assert.deepEqual(staged.reasons(), { 'handler-failed': 20, operator: 10 });
});

test('block closes, or resets, and no handler or target is asked', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    acting({ type: 'block' }, { name: 'closed' }),
    acting({ type: 'block', how: 'reset' }, { name: 'reset' }),
  ]);
  const closed = stage.connect(staged.portOf('closed')).send('knock');
  assert.equal(await closed.ending(), 'fin');
  closed.end();
  await staged.endedAs('blocked in routing');
  const reset = stage.connect(staged.portOf('reset'));
  assert.equal(await reset.ending(), 'reset');
  await staged.ended(2);
  assert.deepEqual(staged.reasons(), { blocked: 2 });
});
