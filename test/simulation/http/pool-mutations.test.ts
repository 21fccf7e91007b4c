/**
 * Faults in backends' connections, pools, tunnels and counts, each of which the simulation has to
 * notice.
 */
import { ConnectionTracking } from '../../../src/network-proxy/connection-tracking.ts';
import { BackendConnection } from '../../../src/network-proxy/http1/backend-connection.ts';
import { Connecting } from '../../../src/network-proxy/pool/connecting.ts';
import { Http1Pool } from '../../../src/network-proxy/pool/http1-pool.ts';
import { Pools } from '../../../src/network-proxy/pool/pools.ts';
import { Tunnel } from '../../../src/network-proxy/websocket/tunnel.ts';
import { mutationsIn } from '../mutation.ts';
import { httpKind } from './kind.ts';

const mutation = mutationsIn(httpKind);

// ── connections to backends ──────────────────────────────────────────────────────────────────────

mutation(
  'reading goes on while the client takes nothing',
  BackendConnection.prototype,
  'pauseBody',
  () => () => {},
);

mutation(
  'reading does not go on when the client took it',
  BackendConnection.prototype,
  'resumeBody',
  () => () => {},
);

mutation(
  'a backend that speaks unasked is used again',
  BackendConnection.prototype,
  'onData',
  (original) =>
    function (this: BackendConnection, bytes, loan) {
      if (!this.usable) original.call(this, bytes, loan);
    },
);

for (const reused of [true, false]) {
  mutation(
    `a connection is said to be ${reused ? 'used, although it is fresh' : 'fresh, although it was used'}`,
    BackendConnection.prototype,
    'attach',
    (original) =>
      function (this: BackendConnection, listener) {
        original.call(this, listener);
        this.reused = reused;
      },
  );
}

mutation('a request is not aborted with its client', BackendConnection.prototype, 'abort', () => () => {});

// ── pools ────────────────────────────────────────────────────────────────────────────────────────

mutation(
  'a connection that broke in its first exchange stays in its pool',
  Http1Pool.prototype,
  'becameUseless',
  (original) =>
    function (this: Http1Pool, connection) {
      if (connection.reused) original.call(this, connection);
    },
);

mutation(
  'a connection that is in use is given away again',
  Http1Pool.prototype,
  'adopt',
  (original) =>
    function (this: Http1Pool, transport, waiter, openedMs) {
      let given: BackendConnection | null = null;
      const told = Object.create(waiter, {
        onStream: {
          value: (stream: BackendConnection, ms: number) => {
            given = stream;
            waiter.onStream(stream, ms);
          },
        },
      });
      original.call(this, transport, told, openedMs);
      if (given !== null) this.becameIdle(given);
    },
);

mutation('an idle connection is forgotten', Http1Pool.prototype, 'becameIdle', (original) => {
  let calls = 0;
  return function (this: Http1Pool, connection) {
    if (++calls % 4 !== 0) original.call(this, connection);
  };
});

mutation('nobody is called when there is room again', Http1Pool.prototype, 'openingOver', () => () => {});

mutation('what is idle outlives its pool', Http1Pool.prototype, 'close', () => () => {});

mutation('pools are not closed at the end', Pools.prototype, 'close', () => () => {});

mutation(
  'a PROXY header makes no difference',
  Pools.prototype,
  'of',
  (original) =>
    function (this: Pools, spec, idleMs) {
      return original.call(this, { ...spec, proxyHeader: null }, idleMs);
    },
);

mutation('clients share connections that name one of them', Pools.prototype, 'of', (original) => {
  const shared = new WeakMap<Pools, ReturnType<Pools['of']>>();
  return function (this: Pools, spec, idleMs) {
    if (spec.proxyHeader === null) return original.call(this, spec, idleMs);
    const pool = shared.get(this) ?? original.call(this, spec, idleMs);
    shared.set(this, pool);
    return pool;
  };
});

mutation('a dial is not given up', Connecting.prototype, 'cancel', () => () => {});

mutation('a dial has no deadline', Connecting.prototype, 'expire', () => () => {});

// ── tunnels and counts ───────────────────────────────────────────────────────────────────────────

mutation('a tunnel that breaks goes on', Tunnel.prototype, 'sideFailed', () => () => {});

mutation('a tunnel that is over goes on', Tunnel.prototype, 'finished', () => () => {});

mutation(
  'a client is counted twice',
  ConnectionTracking.prototype,
  'setupConnectionTracking',
  (original) =>
    function (this: ConnectionTracking, record, overBridge) {
      original.call(this, record, overBridge);
      if (overBridge) this.connectedClients++;
    },
);
