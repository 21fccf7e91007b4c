import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  defaultAdminListen,
  defaultNetworkProxyListen,
  processEnvironment,
} from '../../src/config/environment.ts';
import { jsonSchema } from '../../src/config/json-schema.ts';
import { redact } from '../../src/config/redact.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { defineConfig, optionsSchema, type Route } from '../../src/config/schema.ts';
import { machine, route, validOptions } from './samples.ts';

function fingerprintOf(changes: Partial<Route>, others: Route[] = []): string {
  const options = resolveOptions({ routes: [...others, route(changes)] }, machine).options;
  return options.routes.at(-1)!.fingerprint;
}

test('a route that says the same in other words has the same fingerprint', () => {
  const base = fingerprintOf({
    match: { ports: [1, 2], domains: 'a.test' },
    limits: { maxConnections: 1, headerBytes: 2 },
  });
  const same = fingerprintOf(
    {
      limits: { headerBytes: 2, maxConnections: 1 },
      match: { domains: ['A.test.'], ports: { from: 1, to: 2 } },
      priority: 0,
    },
    [route({ name: 'before', match: { ports: 9 } })],
  );
  assert.equal(same, base);
});

test('every difference in what a route does changes its fingerprint', () => {
  const handle = () => {};
  const target = { host: '10.0.0.1', port: 443 };
  const variants: Partial<Route>[] = [
    {},
    { name: 'b' },
    { priority: 1 },
    { match: { ports: 8444 } },
    { match: { ports: 8443, protocol: 'tls' } },
    { match: { ports: 8443, address: '127.0.0.1' } },
    { security: { allow: ['10.0.0.1'] } },
    { security: { block: ['10.0.0.1'] } },
    { limits: { maxConnections: 1 } },
    { timeouts: { inactivityMs: 1 } },
    { action: { type: 'block' } },
    { action: { type: 'handler', handle } },
    { action: { type: 'handler', handle: (stream) => void stream.end() } },
    { action: { type: 'forward', target, sendProxyProtocol: 2 } },
    { action: { type: 'forward', target: { host: () => '10.0.0.1', port: 443 } } },
    { action: { type: 'forward', target: { host: () => '10.0.0.2', port: 443 } } },
  ];
  assert.equal(new Set(variants.map((changes) => fingerprintOf(changes))).size, variants.length);
});

test('what the process says does not change a fingerprint, nor does a function of the same source', () => {
  const make = (): Route => route({ action: { type: 'handler', handle: (stream) => void stream.end() } });
  const one = resolveOptions({ routes: [make()] }, machine).options.routes[0]!;
  const other = resolveOptions({ routes: [make()], timeouts: { inactivityMs: 1 } }, machine).options
    .routes[0]!;
  assert.equal(one.fingerprint, other.fingerprint);
});

test('secrets are masked wherever they stand, and nothing else is', () => {
  const options = {
    routes: [
      route({
        match: { ports: 1, headers: { Authorization: 'Bearer x', accept: 'y' } },
        action: {
          type: 'forward',
          target: { host: () => 'a', port: 1, tls: { keyFile: '/k.pem' } },
          tls: { mode: 'terminate', certificate: { cert: 'public', key: 'private' } },
          http: { headers: { request: { set: { 'X-Api-Key': ['k'], cookie: 'c', 'x-a': 'b' } } } },
        },
      }),
    ],
    admin: { listen: 'x', token: 't' },
    networkProxy: { secretFile: '/s' },
    certificates: { acme: { eab: { keyId: 'id', hmacKey: 'h' } } },
    other: '-----BEGIN EC PRIVATE KEY-----\n...',
  };
  const shown = redact(options) as Record<string, unknown>;
  assert.equal(
    JSON.stringify(shown),
    '{"routes":[{"name":"a","match":{"ports":1,"headers":{"Authorization":"***","accept":"y"}},"action":{"type":"forward","target":{"host":"[function host]","port":1,"tls":{"keyFile":"/k.pem"}},"tls":{"mode":"terminate","certificate":{"cert":"public","key":"***"}},"http":{"headers":{"request":{"set":{"X-Api-Key":"***","cookie":"***","x-a":"b"}}}}}}],"admin":{"listen":"x","token":"***"},"networkProxy":{"secretFile":"/s"},"certificates":{"acme":{"eab":{"keyId":"id","hmacKey":"***"}}},"other":"***"}',
  );
  assert.equal(options.admin.token, 't');
});

test('secrets in what a configuration has become are masked too, and those in addresses', () => {
  const edits = [
    { name: 'authorization', values: ['Bearer x'] },
    { name: 'x-plain', values: ['y'] },
  ];
  assert.deepEqual(redact({ set: edits, ask: 'https://me:secret@ask.test/path?x=1', at: 'a@b.test' }), {
    set: [
      { name: 'authorization', values: ['***'] },
      { name: 'x-plain', values: ['y'] },
    ],
    ask: 'https://***@ask.test/path?x=1',
    at: 'a@b.test',
  });
});

test('redaction changes nothing in a configuration without secrets', () => {
  fc.assert(
    fc.property(validOptions, (options) => {
      const plain = JSON.parse(JSON.stringify(redact(options)));
      assert.ok(!JSON.stringify(plain).includes('***'));
      assert.deepEqual(Object.keys(plain).sort(), Object.keys(options).sort());
    }),
  );
});

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  description?: string;
  default?: unknown;
  definitions?: Record<string, Schema>;
  anyOf?: Schema[];
}

test('the JSON Schema has every field, with descriptions, defaults and no unknown keys', () => {
  const schema = jsonSchema() as Schema;
  assert.deepEqual(Object.keys(schema.properties!), Object.keys(optionsSchema.shape));
  assert.equal(schema.additionalProperties, false);
  const timeouts = schema.definitions!.Timeouts!.properties!;
  assert.deepEqual([timeouts.connectMs!.default, timeouts.inactivityMs!.default], [5_000, 3_600_000]);
  for (const [name, definition] of Object.entries(schema.definitions!)) {
    assert.ok(definition.description, name);
    for (const [field, inner] of Object.entries(definition.properties ?? {})) {
      assert.ok(
        field === 'type' || inner.description || '$ref' in inner || 'allOf' in inner,
        `${name}.${field}`,
      );
    }
  }
  assert.ok(!JSON.stringify(schema).includes('"defaultText"'));
  assert.ok(!JSON.stringify(schema).includes('"unit"'));
});

test('in the JSON Schema nothing can be a function', () => {
  const { definitions } = jsonSchema() as Schema;
  const target = definitions!.Target!.properties!;
  assert.deepEqual(target.port!.anyOf!.length, 2);
  assert.deepEqual(definitions!.HandlerAction!.properties!.handle, {
    not: {},
    description: definitions!.HandlerAction!.properties!.handle!.description,
  });
});

test('defineConfig gives back what it gets', () => {
  const options = { routes: [] };
  assert.equal(defineConfig(options), options);
});

test('the environment of this process has sensible figures', () => {
  const environment = processEnvironment();
  assert.ok(environment.descriptorLimit >= 256 && environment.memoryBytes > 2 ** 24);
  assert.equal(environment.defaultAdmin, null);
  assert.equal(defaultAdminListen({}, 0), 'unix:/run/smartproxy/admin.sock');
  assert.equal(defaultNetworkProxyListen({}, 0), 'unix:/run/smartproxy/network-proxy.sock');
  assert.equal(
    defaultAdminListen({ XDG_RUNTIME_DIR: '/run/user/1' }, 1),
    'unix:/run/user/1/smartproxy/admin.sock',
  );
  assert.match(defaultAdminListen({}, 7), /^unix:\/.*smartproxy-7\/admin\.sock$/);
});
