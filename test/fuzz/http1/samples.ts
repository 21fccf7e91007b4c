/** What real programs send, as the seeds of mutation. Names and bodies are made up. */

export interface Sample {
  text: string;
  /** The request that a response answers. */
  answers?: { method: string; upgrade: boolean };
}

const lines = (...parts: string[]): string => `${parts.join('\r\n')}\r\n\r\n`;

const get = { method: 'GET', upgrade: false };
const headRequest = { method: 'HEAD', upgrade: false };
const upgrading = { method: 'GET', upgrade: true };
const connect = { method: 'CONNECT', upgrade: false };

/** Two digits, capital and small, in one size. */
const longChunk = `1D\r\n${'abcdefghi\n'.repeat(3).slice(1)}\r\n0010\r\n0123456789abcdef\r\n0\r\n\r\n`;
const chunks = '4\r\nWiki\r\n5\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\n\r\n';
const extended = '5;name=value;flag\r\nhello\r\n6;q="a;\\"b"\r\n world\r\n0;last\r\n\r\n';
const withTrailers = 'a\r\n0123456789\r\n000\r\nServer-Timing: total;dur=3\r\nX-Checksum: abc=\r\n\r\n';

export const requests: readonly Sample[] = [
  { text: lines('GET / HTTP/1.1', 'Host: a.test', 'User-Agent: curl/8.5.0', 'Accept: */*') },
  {
    text: lines(
      'GET /static/app.js?v=3 HTTP/1.1',
      'Host: www.a.test:8443',
      'Connection: keep-alive',
      'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0',
      'Accept-Encoding: gzip, deflate, br, zstd',
      'Cookie: session=0123456789abcdef; theme=dark',
    ),
  },
  { text: lines('HEAD /health HTTP/1.0') },
  { text: lines('GET /keep HTTP/1.0', 'Host: a.test', 'Connection: Keep-Alive') },
  {
    text: `${lines('POST /form HTTP/1.1', 'Host: a.test', 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: 11')}a=1&b=2&c=3`,
  },
  {
    text: `${lines('PUT /file HTTP/1.1', 'Host: a.test', 'Transfer-Encoding: chunked', 'Expect: 100-continue')}${chunks}`,
  },
  { text: `${lines('POST /x HTTP/1.1', 'host: a.test', 'transfer-encoding: Chunked')}${extended}` },
  {
    text: `${lines('PATCH /t HTTP/1.1', 'Host: a.test', 'Trailer: X-Checksum', 'Transfer-Encoding: chunked', 'TE: trailers')}${withTrailers}`,
  },
  { text: `${lines('POST /long HTTP/1.1', 'Host: a.test', 'Transfer-Encoding: chunked')}${longChunk}` },
  { text: lines('DELETE /item/1 HTTP/1.1', 'Host: [2001:db8::1]:8080', 'Content-Length: 0') },
  { text: lines('OPTIONS * HTTP/1.1', 'Host: a.test') },
  { text: lines('GET http://a.test/proxied?x=1 HTTP/1.1', 'Host: a.test', 'Proxy-Connection: keep-alive') },
  { text: lines('CONNECT a.test:443 HTTP/1.1', 'Host: a.test:443') },
  {
    text: `${lines('GET /chat HTTP/1.1', 'Host: a.test', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZQ==', 'Sec-WebSocket-Version: 13')}`,
  },
  { text: lines('PROPFIND /dav HTTP/1.1', 'Host: a.test', 'Depth: 1', 'Connection: close') },
  { text: lines('GET /hop HTTP/1.1', 'Host: a.test', 'Connection: X-One, x-two', 'X-One: 1', 'X-Two: \t2 ') },
];

export const responses: readonly Sample[] = [
  {
    text: `${lines('HTTP/1.1 200 OK', 'Server: nginx', 'Content-Type: text/html', 'Content-Length: 5', 'ETag: "abc"')}hello`,
    answers: get,
  },
  {
    text: `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Set-Cookie: a=1; Path=/', 'Set-Cookie: b=2')}${chunks}`,
    answers: get,
  },
  { text: `${lines('HTTP/1.1 200 OK', 'transfer-encoding: chunked')}${extended}`, answers: get },
  { text: `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}${longChunk}`, answers: get },
  {
    text: `${lines('HTTP/1.1 200 OK', 'Trailer: Server-Timing', 'Transfer-Encoding: chunked')}${withTrailers}`,
    answers: get,
  },
  { text: `${lines('HTTP/1.1 200 ', 'Connection: close')}until the end`, answers: get },
  { text: `${lines('HTTP/1.0 200 OK', 'Content-Type: text/plain')}old`, answers: get },
  {
    text: `${lines('HTTP/1.0 404 Not Found', 'Connection: keep-alive', 'Content-Length: 2')}no`,
    answers: get,
  },
  { text: lines('HTTP/1.1 204 No Content', 'Date: Mon, 05 Jan 2026 10:00:00 GMT'), answers: get },
  { text: lines('HTTP/1.1 304 Not Modified', 'Content-Length: 1234', 'ETag: W/"x"'), answers: get },
  { text: lines('HTTP/1.1 200 OK', 'Content-Length: 1234'), answers: headRequest },
  { text: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), answers: headRequest },
  { text: lines('HTTP/1.1 302 Found', 'Location: https://a.test/', 'Content-Length: 0'), answers: get },
  {
    text: `${lines('HTTP/1.1 100 Continue')}${lines('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload')}${lines('HTTP/1.1 201 Created', 'Content-Length: 2')}ok`,
    answers: get,
  },
  {
    text: `${lines('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket')}\x81\x05hello`,
    answers: upgrading,
  },
  { text: `${lines('HTTP/1.1 200 OK', 'Content-Length: 3')}not`, answers: upgrading },
  { text: `${lines('HTTP/1.1 200 Connection established')}\x16\x03\x01`, answers: connect },
  { text: `${lines('HTTP/1.1 502 Bad Gateway', 'Content-Length: 4')}oops`, answers: connect },
  { text: lines('HTTP/1.1 500', 'Content-Length: 0'), answers: get },
];

/** Lines and pieces that readers of HTTP have disagreed about. Inserted anywhere, and as lines between fields. */
export const fieldLines: readonly string[] = [
  ...[
    '0',
    '5',
    '11',
    '-1',
    '+5',
    '5, 5',
    '5,6',
    '0x5',
    '05',
    ' ',
    '5 5',
    '5\t',
    '\t5',
    '18446744073709551616',
  ].map((value) => `Content-Length: ${value}`),
  ...[
    'chunked',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, identity',
    'chunked, chunked',
    'xchunked',
    'CHUNKED',
  ].map((value) => `Transfer-Encoding: ${value}`),
  ...[
    '\tchunked',
    'chunked\t',
    '"chunked"',
    'chunked;q=1',
    ' chunked',
    ',chunked',
    'chunked,',
    '\x0bchunked',
    '',
  ].map((value) => `Transfer-Encoding: ${value}`),
  ...['Transfer-Encoding : chunked', 'Transfer_Encoding: chunked', 'Content-Length : 5', 'content-length:5'],
  ...[
    'close',
    'keep-alive',
    'upgrade',
    'Upgrade, close',
    'x-one',
    'content-length',
    'host',
    ',,close,',
    '"close"',
  ].map((value) => `Connection: ${value}`),
  ...['Upgrade: websocket', 'Upgrade: h2c', 'Upgrade: ', 'Expect: 100-continue', 'Proxy-Connection: close'],
  ...[
    'Host: b.test',
    'Host: ',
    'Host: a b',
    'Host: a.test, b.test',
    'Host:',
    'host: user@a.test',
    'Host: a.test:',
  ],
  ...[
    ': empty',
    ' folded',
    '\tfolded',
    'X',
    'X-Bad\x00: 1',
    'X-Nul: a\x00b',
    'X-Cr: a\rb',
    'X-Lf: a\nb',
    'X-Del: \x7f',
  ],
  ...[
    'X-Obs: \xe9\xff',
    'X-Empty:',
    'X-Tab:\ta\tb\t',
    'X(): 1',
    'Keep-Alive: timeout=5',
    'TE: chunked',
    'X: \x0c',
  ],
];

export const fragments: readonly string[] = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\r\n',
    '\n\n',
    '\r\n\r\n',
    ' ',
    '\t',
    '\0',
    ':',
    ';',
    ',',
    '\x7f',
    '\xff',
    '"',
    '\\',
  ],
  ...[
    '0\r\n\r\n',
    '0',
    'ffffffffffffffff',
    '10000000000000000',
    '1_0',
    '0x1',
    '+1',
    '-1',
    ';a=b',
    ';',
    ';=',
    '; a',
    ' ;a',
  ],
  ...[
    ';a="b',
    ';a="\r\n"',
    ';a="\\"',
    'HTTP/1.0',
    'HTTP/1.1',
    'HTTP/2.0',
    'HTTP/1.2',
    'HTTP/0.9',
    'http/1.1',
    'ICE/1.0',
  ],
  ...[
    'RTSP/1.0',
    'GET ',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'CONNECT ',
    'OPTIONS ',
    'SOURCE ',
    'BREW ',
    'get ',
  ],
  ...[
    'http://',
    'https://b.test/',
    '//',
    '*',
    '#',
    '?',
    '@',
    '%00',
    '<',
    '{}',
    '|',
    ' 204 ',
    ' 304 ',
    ' 101 ',
    ' 099 ',
  ],
  ...[
    ' 1000 ',
    ' 20 ',
    'chunked',
    'identity',
    ', chunked',
    'close',
    'keep-alive',
    'Transfer-Encoding',
    'Content-Length',
  ],
];
