import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, message, refusesAll } from './reading.ts';

const request = (start: string, ...lines: string[]): Buffer => message([start, ...lines]);

test('an absolute target is reduced to path and query, and its authority is who is asked', () => {
  const head = accepted(request('GET HTTP://A.test:80/x?y HTTP/1.1', 'Host: a.TEST'));
  assert.equal(head.form, 'absolute');
  assert.equal(head.originTarget, '/x?y');
  assert.equal(head.host, 'a.test');
  assert.equal(head.port, 80);
  const origin = (target: string, method = 'GET'): string =>
    accepted(request(`${method} ${target} HTTP/1.1`, 'Host: a.test')).originTarget;
  assert.equal(origin('https://a.test'), '/');
  assert.equal(origin('https://a.test:443?q'), '/?q');
  assert.equal(origin('http://a.test', 'OPTIONS'), '*');
  assert.equal(origin('*', 'OPTIONS'), '*');
});

test('forms of targets that do not fit their method are refused', () => {
  const host = 'Host: a.test';
  refusesAll('target-form', [
    request('GET * HTTP/1.1', host),
    request('OPTIONS ** HTTP/1.1', host),
    request('GET a.test:80 HTTP/1.1', host),
    request('GET ftp://a.test/ HTTP/1.1', host),
    request('GET http://user@a.test/ HTTP/1.1', host),
    request('GET http:/// HTTP/1.1', host),
    request('CONNECT / HTTP/1.1', host),
    request('CONNECT a.test HTTP/1.1', host),
    request('CONNECT a.test: HTTP/1.1', host),
  ]);
});

test('CONNECT names a host and its port', () => {
  const head = accepted(request('CONNECT [2001:db8::1]:443 HTTP/1.1', 'Host: [2001:db8::1]:443'));
  assert.equal(head.form, 'authority');
  assert.equal(head.host, '2001:db8::1');
  assert.equal(head.port, 443);
  assert.equal(head.originTarget, '[2001:db8::1]:443');
});

test('HTTP/1.1 has exactly one valid Host, HTTP/1.0 at most one', () => {
  const line = 'GET / HTTP/1.1';
  refusesAll('host-missing', [request(line, 'X: 1')]);
  refusesAll('host-repeated', [
    request(line, 'Host: a.test', 'Host: a.test'),
    request('GET / HTTP/1.0', 'Host: a.test', 'host: b.test'),
  ]);
  refusesAll(
    'host-invalid',
    [
      ...[
        '',
        'a b',
        'a.test,b.test',
        'user@a.test',
        'a.test/',
        'a.test:',
        'a.test:0',
        'a.test:65536',
        'a.test:1x',
      ],
      ...[
        'a..test',
        '.a.test',
        '[::1',
        '[1.2.3.4]',
        '[zz::]',
        '[::1]x',
        '%61.test',
        'x'.repeat(300),
        'a.test:080000',
      ],
    ].map((host) => request(line, `Host: ${host}`)),
  );
  assert.equal(accepted(request('GET / HTTP/1.0')).host, '');
  for (const host of ['a_b.test', '10.0.0.1:8080', '[::1]', 'localhost', 'a.test.'])
    accepted(request(line, `Host: ${host}`));
});

test('the authority of the target and Host must be the same', () => {
  refusesAll('host-differs', [
    request('GET http://a.test/ HTTP/1.1', 'Host: b.test'),
    request('GET http://a.test/ HTTP/1.1', 'Host: a.test:443'),
    request('GET https://a.test/ HTTP/1.1', 'Host: a.test:80'),
    request('CONNECT a.test:443 HTTP/1.1', 'Host: a.test'),
  ]);
  accepted(request('GET HTTPS://a.test/ HTTP/1.1', 'Host: A.test:443'));
});
