import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, getByHttp1, Http2Stage } from './stage.ts';

/** What a backend was asked, as JSON. */
const echo = async (protocol: 'http1' | 'http2') =>
  protocol === 'http1'
    ? Backend.http1((request, response) => {
        let body = '';
        request.setEncoding('latin1').on('data', (chunk) => {
          body += chunk;
        });
        request.on('end', () => {
          const { method, url, rawHeaders, trailers } = request;
          response.setHeader('x-asked', 'yes');
          response.end(JSON.stringify({ method, url, rawHeaders, trailers, body }));
        });
      })
    : Backend.http2((stream, headers) => {
        let body = '';
        let trailers = {};
        stream.setEncoding('latin1').on('data', (chunk) => {
          body += chunk;
        });
        stream.on('trailers', (fields) => {
          trailers = fields;
        });
        stream.on('end', () => {
          stream.respond({ ':status': 200, 'x-asked': 'yes' });
          stream.end(JSON.stringify({ headers, trailers, body }));
        });
      });

for (const protocol of ['http1', 'http2'] as const) {
  test(`a request by HTTP/2 reaches a backend of ${protocol}, and its answer the client`, async () => {
    const backend = await echo(protocol);
    const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
    const client = stage.connect();
    const plain = await client.request({ ':path': '/a?b=c', 'x-one': '1' });
    assert.equal(plain.status, 200);
    assert.equal(plain.headers['x-asked'], 'yes');
    const post = await client.request({ ':path': '/post', ':method': 'POST' }, 'hello');
    assert.equal(JSON.parse(post.body).body, 'hello');
    await client.close();
    assert.equal(await stage.reason(), 'client-closed');
    await stage.close();
    await backend.close();
  });

  test(`a request by HTTP/1.1 reaches a backend of ${protocol}, and its answer the client`, async () => {
    const backend = await echo(protocol);
    const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
    const answer = await getByHttp1(stage.http1Port, { path: '/a?b=c', method: 'POST' }, 'hello');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-asked'], 'yes');
    assert.equal(JSON.parse(answer.body).body, 'hello');
    await stage.close();
    await backend.close();
  });
}
