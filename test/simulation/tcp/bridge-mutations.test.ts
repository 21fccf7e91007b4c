/** Faults in the outer half of the loopback bridge, each of which the simulation has to notice. */
import { NetworkProxyBridge } from '../../../src/forwarding/network-proxy-bridge.ts';
import { mutationsIn } from '../mutation.ts';
import { tcpKind } from './kind.ts';

const mutation = mutationsIn(tcpKind);

mutation('the bridge never calls back', NetworkProxyBridge.prototype, 'ended', () => () => {});

mutation(
  'the bridge calls back twice',
  NetworkProxyBridge.prototype,
  'forwardToNetworkProxy',
  (original) =>
    function (this: NetworkProxyBridge, id, socket, record, chunk, port, callback) {
      original.call(this, id, socket, record, chunk, port, (ended) => {
        callback(ended);
        callback(ended);
      });
    },
);

mutation(
  'the bridge calls back before the sockets are gone',
  NetworkProxyBridge.prototype,
  'forwardToNetworkProxy',
  (original) =>
    function (this: NetworkProxyBridge, id, socket, record, chunk, port, callback) {
      original.call(this, id, socket, record, chunk, port, () => {});
      callback(record);
    },
);

mutation(
  'what was read before the bridge is lost',
  NetworkProxyBridge.prototype,
  'forwardToNetworkProxy',
  (original) =>
    function (this: NetworkProxyBridge, id, socket, record, _chunk, port, callback) {
      original.call(this, id, socket, record, new Uint8Array(0), port, callback);
    },
);
