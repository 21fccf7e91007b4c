import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { acting, tcp } from './routes.ts';
import { Stage } from './stage.ts';

// L11
test('thousands of idle connections that expire together all end, over many turns of the loop', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const count = 2000;
  const timeouts = { inactivityMs: 600_000 };
  const staged = await stage.proxy(
    [acting({ type: 'handler', handle: (stream) => void stream.resume() }, { timeouts })],
    {},
    { clock },
  );
  const clients = [];
  for (let batch = 0; batch < count / 500; batch++) {
    for (let index = 0; index < 500; index++) clients.push(stage.connect(staged.port));
    await staged.settled((batch + 1) * 500);
  }
  let turns = 0;
  let turning = true;
  const turn = (): void => {
    turns++;
    if (turning) setImmediate(turn);
  };
  clock.skip(601_000);
  assert.ok(staged.active > count / 2, 'not all in the turn of the timer');
  setImmediate(turn);
  await staged.ended(count);
  turning = false;
  assert.ok(turns >= 5, `${turns} turns`);
  assert.deepEqual(staged.reasons(), { inactivity: count });
  for (const client of clients) assert.equal(await client.ending(), 'reset');
});

// L14
test('deadlines beyond the longest timer do not fire at once', async (t) => {
  const stage = scoped(t, new Stage());
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => warnings.push(name);
  process.on('warning', onWarning);
  const backend = await stage.echo();
  // Writes are looked at four times in what they have: a quarter is too long for a timer, too.
  const far = 2 ** 35;
  const timeouts = {
    ...{ initialDataMs: far, connectMs: far, inactivityMs: far, halfCloseMs: far, stalledWriteMs: far },
    ...{ maxLifetimeMs: far, cleanupGraceMs: far, shutdownGraceMs: far },
  };
  const staged = await stage.proxy([tcp(backend.port)], { timeouts });
  const client = stage.connect(staged.port).send('one');
  await client.gets('one');
  client.end(' two');
  await client.gets('one two');
  await staged.endedAs('client-closed');
  const stopping = staged.proxy.stop();
  await stopping;
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});

// L14
test('a deadline beyond the longest timer fires when it is due', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)], { timeouts: { inactivityMs: 2 ** 32 } }, { clock });
  const client = stage.connect(staged.port).send('x');
  await client.gets('x');
  clock.skip(2 ** 31);
  assert.equal(staged.active, 1);
  clock.skip(2 ** 31);
  assert.equal(await client.ending(), 'reset');
  await staged.endedAs('inactivity in established');
});

// L15
test('after ten thousand connections every count is where it was', async (t) => {
  const stage = scoped(t, new Stage());
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const backend = await stage.backend(({ socket }) => socket.on('end', () => socket.end()));
  const staged = await stage.proxy([tcp(backend.port)]);
  const listeners = () => {
    const { server } = backend;
    return [server, process].flatMap((emitter) =>
      emitter.eventNames().map((name) => emitter.listenerCount(name as 'x')),
    );
  };
  const before = { ...holdings(), listeners: listeners() };
  const count = 10_000;
  let opened = 0;
  const one = async (): Promise<void> => {
    while (opened++ < count) {
      const turn = opened;
      const { socket } = stage.visit(staged.port);
      await new Promise<void>((resolve) => {
        socket.on('close', () => resolve()).resume();
        if (turn % 10 === 0) socket.on('connect', () => socket.resetAndDestroy());
        else socket.end('x');
      });
    }
  };
  await Promise.all(Array.from({ length: 50 }, one));
  await eventually('all were accepted', () => staged.proxy.getStatistics().connections.opened === count);
  await staged.settled(0);
  await eventually('the backend has nobody', () => backend.peers.every(({ closed }) => closed));
  await holdsNoMoreThan(before);
  assert.deepEqual(listeners(), before.listeners);
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  const { connections, cleanup } = staged.proxy.getStatistics();
  assert.deepEqual(connections, { active: 0, opened: count, terminated: count, refused: 0 });
  assert.equal(cleanup.graceful + cleanup.forced, count);
});

// L22
test('a peer that stops reading is ended by the deadline of its writes, and costs bounded memory until then', async (t) => {
  for (const stopped of ['client', 'server'] as const) {
    const stage = scoped(t, new Stage());
    const clock = new SkippingClock();
    const backend = await stage.backend();
    const timeouts = { stalledWriteMs: 100_000, inactivityMs: 0 };
    const staged = await stage.proxy([tcp(backend.port, { timeouts })], {}, { clock });
    const client = stage.connect(staged.port);
    const server = await backend.peer();
    const [silent, sender] = stopped === 'client' ? [client, server] : [server, client];
    silent.socket.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    const fill = (): void => {
      while (!sender.closed && sender.socket.write(chunk));
    };
    sender.socket.on('drain', fill);
    fill();
    const taken = () => sender.socket.bytesWritten - sender.socket.writableLength;
    let still = 0;
    let last = -1;
    await eventually('nothing moves any more', () => {
      still = taken() === last && sender.socket.writableNeedDrain ? still + 1 : 0;
      last = taken();
      return still > 20;
    });
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024, 'memory is bounded');
    await eventually('it was looked at often enough', () => {
      if (staged.live[0]?.state === 'established') clock.skip(25_001);
      return staged.endings.length > 0;
    });
    await staged.endedAs('stalled-write in established');
    assert.equal(await sender.ending(), 'reset');
    silent.socket.resume();
    await silent.gone();
    assert.equal(silent.error?.code, 'ECONNRESET');
  }
});

test('a connection that is as old as it may get is reset', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)], { timeouts: { maxLifetimeMs: 100_000 } }, { clock });
  const client = stage.connect(staged.port).send('x');
  await client.gets('x');
  clock.skip(94_000);
  assert.equal(staged.active, 1);
  clock.skip(12_000);
  assert.equal(await client.ending(), 'reset');
  await staged.endedAs('max-lifetime in established');
});

test('an operator ends one connection and no other', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)]);
  const [one, two] = [stage.connect(staged.port).send('one'), stage.connect(staged.port).send('two')];
  await one.gets('one');
  await two.gets('two');
  const { control } = staged.proxy;
  const id = staged.live.find(({ client }) => client.port === one.socket.localPort)?.id ?? '';
  assert.deepEqual(
    [control.terminate('nobody'), control.terminate(id), control.terminate(id)],
    [false, true, false],
  );
  assert.equal(await one.ending(), 'reset');
  const { termination } = await staged.endedAs('operator in established');
  assert.equal(termination?.initiator, 'operator');
  two.end(' more');
  await two.gets('two more');
});

test('a record can be asked for while it lives and after, and explains its route', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port), acting({ type: 'block' }, { name: 'other' })]);
  const client = stage.connect(staged.portOf('tcp')).send('x');
  await client.gets('x');
  const { control } = staged.proxy;
  const id = staged.live[0]?.id ?? '';
  type Explained = {
    route: string;
    connection: { state: string };
    candidates: { route: string; outcome: string }[];
  };
  const explain = async () => (await control.explain(id)) as Explained;
  const alive = await explain();
  assert.deepEqual([alive.route, alive.connection.state], ['tcp', 'established']);
  assert.deepEqual(
    alive.candidates.map(({ route, outcome }) => [route, outcome]),
    [
      ['tcp', 'chosen'],
      ['other', 'no-match'],
    ],
  );
  client.end();
  await staged.ended();
  const ended = await explain();
  assert.deepEqual([ended.route, ended.connection.state], ['tcp', 'closed']);
  assert.deepEqual(control.connection(id), staged.endings[0]);
  assert.deepEqual(control.terminations(10, 0), { terminations: staged.endings, total: 1 });
  assert.deepEqual(control.terminations(10, 1), { terminations: [], total: 1 });
  assert.equal(control.connection('nobody'), undefined);
  await assert.rejects(control.explain('nobody'), { code: 'invalid-target' });
});

test('events tell of the start, of each connection, and of its end', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = stage.unstarted([tcp(backend.port)]);
  const told: string[] = [];
  staged.proxy
    .on('ready', ({ listeners, admin }) => told.push(`ready ${listeners.length} ${admin}`))
    .on('connection', ({ state, termination }) => told.push(`connection ${state} ${termination}`))
    .on('connection-closed', ({ state, termination }) => told.push(`closed ${state} ${termination?.reason}`));
  await staged.proxy.start();
  const client = stage.connect(staged.port).end('x');
  await client.gets('x');
  await staged.ended();
  assert.deepEqual(told, ['ready 1 null', 'connection accepted null', 'closed closed client-closed']);
});

test('a listener that throws keeps no connection from its end', async (t) => {
  const thrown: Error[] = [];
  const stage = scoped(t, new Stage({ errorsInLog: ['listener-threw'] }));
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)]);
  staged.proxy.on('connection', () => {
    thrown.push(new Error('opened'));
    throw thrown[0];
  });
  staged.proxy.on('connection-closed', () => {
    throw new Error('closed');
  });
  const client = stage.connect(staged.port).end('x');
  await client.gets('x');
  await staged.settled(0);
  assert.equal(thrown.length, 1);
});
