import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { eventually } from '../../support/eventually.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Http2Stage } from './stage.ts';

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  ...{ path: `/test.Echo/${name}`, requestStream, responseStream, ...text },
});
const service = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  count: method('Count', false, true),
  talk: method('Talk', true, true),
} satisfies ServiceDefinition;

interface EchoClient {
  unary(
    value: string,
    metadata: Metadata,
    done: (error: ServiceError | null, value?: string) => void,
  ): { on(event: 'metadata' | 'status', listener: (value: never) => void): void; cancel(): void };
  collect(done: (error: ServiceError | null, value?: string) => void): ClientWritableStream<string>;
  count(value: string): ClientReadableStream<string>;
  talk(): ClientDuplexStream<string, string>;
  close(): void;
}

const server = new Server();
let stage: Http2Stage;
let client: EchoClient;
let cancelled = 0;

before(async () => {
  server.addService(service, {
    unary: (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) => {
      if (call.request === 'fail') {
        const metadata = new Metadata();
        metadata.set('why', 'because');
        done({ code: status.FAILED_PRECONDITION, details: 'asked to fail – ü', metadata });
        return;
      }
      const first = new Metadata();
      first.set('x-first', String(call.metadata.get('x-asked')[0]));
      call.sendMetadata(first);
      const last = new Metadata();
      last.set('x-last', 'here');
      last.set('x-bytes-bin', Buffer.from([0, 255, 7]));
      done(null, `unary ${call.request}`, last);
    },
    collect: (call: ServerReadableStream<string, string>, done: sendUnaryData<string>) => {
      const values: string[] = [];
      call.on('data', (value: string) => values.push(value));
      call.on('end', () => done(null, `${values.length} ${values[0]?.length}`));
    },
    count: (call: ServerWritableStream<string, string>) => {
      const limit = Number(call.request);
      let value = 0;
      call.on('cancelled', () => cancelled++);
      const write = (): void => {
        while (value < limit)
          if (!call.write(`${value++}`.padStart(2000))) return void call.once('drain', write);
        call.end();
      };
      write();
    },
    talk: (call: ServerDuplexStream<string, string>) => {
      call.on('data', (value: string) => call.write(`you said ${value}`));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  stage = await Http2Stage.open({ route: routeTo(forward([target(port, { protocol: 'http2' })])) });
  const Client = makeGenericClientConstructor(service, 'Echo');
  client = new Client(`127.0.0.1:${stage.port}`, credentials.createInsecure()) as unknown as EchoClient;
});

after(async () => {
  client.close();
  await stage.close();
  server.forceShutdown();
});

// F5
test('a unary call has its metadata before and after the answer', async () => {
  const metadata = new Metadata();
  metadata.set('x-asked', 'yes');
  let first: Metadata | undefined;
  let last: { metadata: Metadata } | undefined;
  const value = await new Promise((resolve, reject) => {
    const call = client.unary('one', metadata, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
    call.on('metadata', (fields: Metadata) => {
      first = fields;
    });
    call.on('status', (told: { metadata: Metadata }) => {
      last = told;
    });
  });
  assert.equal(value, 'unary one');
  assert.deepEqual(first?.get('x-first'), ['yes']);
  await new Promise(setImmediate);
  assert.deepEqual(last?.metadata.get('x-last'), ['here']);
  assert.deepEqual(last?.metadata.get('x-bytes-bin'), [Buffer.from([0, 255, 7])]);
});

// F5
test('an error arrives with its code, text and metadata', async () => {
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.unary('fail', new Metadata(), (told) => resolve(told));
  });
  assert.equal(error?.code, status.FAILED_PRECONDITION);
  assert.equal(error?.details, 'asked to fail – ü');
  assert.deepEqual(error?.metadata.get('why'), ['because']);
});

// F5
test('a stream of requests has one answer', async () => {
  const answer = await new Promise((resolve, reject) => {
    const call = client.collect((error, value) => (error === null ? resolve(value) : reject(error)));
    for (let i = 0; i < 500; i++) call.write('x'.repeat(3000));
    call.end();
  });
  assert.equal(answer, '500 3000');
});

// F5
test('a stream of answers comes whole, and in order', async () => {
  let next = 0;
  for await (const value of client.count('2000')) assert.equal(Number(value), next++);
  assert.equal(next, 2000);
});

// F5
test('both sides talk at the same time', async () => {
  const call = client.talk();
  for (let i = 0; i < 50; i++) {
    call.write(`${i}`);
    const [value] = await once(call, 'data');
    assert.equal(value, `you said ${i}`);
  }
  call.end();
  call.resume();
  const [{ code }] = await once(call, 'status');
  assert.equal(code, status.OK);
});

// F5, H7
test('a call that the client cancels is cancelled at the server', async () => {
  const call = client.count('1000000000');
  await once(call, 'data');
  call.cancel();
  const [error] = (await once(call, 'error')) as [ServiceError];
  assert.equal(error.code, status.CANCELLED);
  await eventually('the server hears of it', () => cancelled === 1);
});
