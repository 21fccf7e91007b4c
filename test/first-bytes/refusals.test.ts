import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import {
  accessDeniedAlert,
  decodeErrorAlert,
  plainHttpAnswer,
  unrecognizedNameAlert,
} from '../../src/first-bytes/refusals.ts';

/** A server that gives every client this answer and ends; returns what `use` makes of it. */
async function answering<Result>(
  answer: Uint8Array,
  use: (port: number) => Promise<Result>,
): Promise<Result> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
    await once(server, 'close');
  }
}

async function tlsErrorCode(alert: Uint8Array, maxVersion: tls.SecureVersion): Promise<string> {
  return answering(alert, async (port) => {
    const client = tls.connect({ host: '127.0.0.1', port, servername: 'a.test', maxVersion });
    const [error] = (await once(client, 'error').catch((thrown) => [thrown])) as [NodeJS.ErrnoException];
    client.destroy();
    return error.code ?? '';
  });
}

// T7
test('a real client understands each alert, whatever version it speaks', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.match(await tlsErrorCode(unrecognizedNameAlert, version), /UNRECOGNIZED_NAME/);
    assert.match(await tlsErrorCode(decodeErrorAlert, version), /DECODE_ERROR/);
    assert.match(await tlsErrorCode(accessDeniedAlert, version), /ACCESS_DENIED/);
  }
});

// T10
test('a real HTTP client gets a 400 that says what to do', async () => {
  const { status, body } = await answering(plainHttpAnswer, async (port) => {
    const request = get({ host: '127.0.0.1', port, path: '/' });
    const [response] = await once(request, 'response');
    response.setEncoding('utf8');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, body: text };
  });
  assert.equal(status, 400);
  assert.match(body, /https/);
});
