import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createProcessLogger } from '../../src/base/logger-pino.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'smartproxy-log-'));
const descriptorsBefore = readdirSync('/proc/self/fd').length;
after(() => rmSync(folder, { recursive: true }));

type Line = Record<string, unknown>;

function parse(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** A named pipe whose reader reads only when the test says so. */
function makePipe(name: string): { writer: number; read(): string; closeReader(): void } {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(65536);
  return {
    writer: openSync(path, constants.O_WRONLY),
    read() {
      try {
        return buffer.toString('utf8', 0, readSync(reader, buffer));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'EAGAIN');
        return '';
      }
    },
    closeReader: () => closeSync(reader),
  };
}

const nextTurn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('each line is a JSON object with level, time and event first', async () => {
  const fd = openSync(join(folder, 'lines'), 'a');
  const clock = new VirtualClock();
  const log = createProcessLogger({ clock, fd });
  log.info('ready', { listeners: [{ address: '127.0.0.1', port: 8443 }], admin: null });
  log.warn('odd', { text: 'a\nb' });
  log.debug('dropped for its level');
  log.setLevel('debug');
  log.debug('detail');
  assert.equal(await log.flush(), true);
  const text = readFileSync(join(folder, 'lines'), 'utf8');
  assert.equal(
    text.split('\n')[0],
    '{"level":"info","time":"2026-01-01T00:00:00.000Z","event":"ready","listeners":[{"address":"127.0.0.1","port":8443}],"admin":null}',
  );
  assert.deepEqual(
    parse(text).map((line) => [line.level, line.event]),
    [
      ['info', 'ready'],
      ['warn', 'odd'],
      ['debug', 'detail'],
    ],
  );
  await log.close();
  assert.equal(clock.pending, 0);
});

test('lines for people are readable, and cannot move the cursor', async () => {
  const fd = openSync(join(folder, 'readable'), 'a');
  const log = createProcessLogger({ clock: new VirtualClock(), fd, readable: true });
  log.info('ready', { address: '127.0.0.1:80', name: 'two words', odd: '\u001b[2J' });
  await log.close();
  const text = readFileSync(join(folder, 'readable'), 'utf8');
  assert.equal(text, '00:00:00.000 info  ready address=127.0.0.1:80 name="two words" odd="\\u001b[2J"\n');
});

test('a blocked pipe stops neither the loop nor the ending, and does not fill the memory', async () => {
  const pipe = makePipe('blocked');
  const clock = new VirtualClock();
  const log = createProcessLogger({ clock, fd: pipe.writer, maxWaitingBytes: 200_000 });
  for (let count = 0; count < 5_000; count++) log.info('line', { count, padding: 'x'.repeat(100) });
  clock.flush();
  await nextTurn();
  assert.ok(log.dropped > 3_000, `dropped ${log.dropped}`);
  const flushed = log.flush(500);
  clock.advance(500);
  assert.equal(await flushed, false, 'the reader has stopped: it is not waited for');

  let text = '';
  while (!text.includes('log-lines-dropped')) {
    text += pipe.read();
    clock.flush();
    await nextTurn();
  }
  const lines = parse(text);
  assert.deepEqual(lines.at(-1)?.count, log.dropped, 'one line tells how many were dropped');
  assert.equal(lines.length - 1 + log.dropped, 5_000);
  log.info('again');
  assert.equal(await log.close(), true);
  assert.equal(parse(pipe.read()).at(-1)?.event, 'again');
  pipe.closeReader();
  closeSync(pipe.writer);
  assert.equal(clock.pending, 0);
});

test('a reader that has gone does not end the process', async () => {
  const pipe = makePipe('gone');
  const log = createProcessLogger({ clock: systemClock, fd: pipe.writer });
  pipe.closeReader();
  log.info('nobody reads this');
  assert.equal(await log.flush(), false);
  log.info('nor this');
  assert.equal(log.dropped, 1);
  assert.equal(await log.close(), false);
  closeSync(pipe.writer);
});

test('what was logged before a process ends arrives at a slow reader', async () => {
  const script = `
    import { createProcessLogger } from ${JSON.stringify(import.meta.resolve('../../src/base/logger-pino.ts'))};
    import { systemClock } from ${JSON.stringify(import.meta.resolve('../../src/base/clock.ts'))};
    const log = createProcessLogger({ clock: systemClock });
    for (let count = 0; count < 20_000; count++) log.info('line', { count });
    await log.close(60_000);
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  assert.equal(parse(text).at(-1)?.count, 19_999);
});

test('no descriptor is left', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  for (let turn = 0; turn < 1_000 && open() > descriptorsBefore; turn++) await nextTurn();
  assert.equal(open(), descriptorsBefore);
});
