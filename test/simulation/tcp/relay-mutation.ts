import type { TransportListener } from '../../../src/base/transport.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';

/** Changes what the relay's own listeners hear. */
export function relayHears(
  change: (listener: TransportListener, transport: MemoryTransport) => Partial<TransportListener>,
): (original: MemoryTransport['setListener']) => MemoryTransport['setListener'] {
  return (original) =>
    function (this: MemoryTransport, listener) {
      const isRelay = listener?.constructor.name === 'RelaySide';
      original.call(this, isRelay ? { ...passOn(listener), ...change(listener, this) } : listener);
    };
}

function passOn(listener: TransportListener): TransportListener {
  return {
    onData: (bytes, loan) => listener.onData(bytes, loan),
    onEnd: () => listener.onEnd(),
    onDrain: () => listener.onDrain(),
    onFinish: () => listener.onFinish(),
    onError: (error) => listener.onError(error),
    onClose: () => listener.onClose(),
  };
}
