import { type BridgeProofs, bridgeTlvType, questionTlvType } from '../base/bridge-proof.ts';
import type { Clock } from '../base/clock.ts';
import type { Transport } from '../base/transport.ts';
import type { Limits, Timeouts } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { TimeoutManager } from '../connection/timeout-manager.ts';
import type { ProxyHeader } from '../first-bytes/proxy-header-parser.ts';
import { readFirstBytes } from '../first-bytes/reader.ts';
import type { SecurityManager } from '../security/security-manager.ts';
import type { ConnectionHandler } from './connection-handler.ts';

export interface BridgeEntranceServices {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly security: SecurityManager;
  readonly handler: ConnectionHandler;
  /** Those of the process: no route is known yet. */
  readonly settings: () => { readonly timeouts: Timeouts; readonly limits: Limits };
  readonly proofs: BridgeProofs;
}

/**
 * Where the connections of a SmartProxy in another process come in. Who connects to this port is
 * not believed for being on the same machine: only a header with a proof says who the client is and
 * where it wanted to go (P7). Everybody else is turned away under its own address.
 */
export class BridgeEntrance {
  readonly #services: BridgeEntranceServices;

  constructor(services: BridgeEntranceServices) {
    this.#services = services;
  }

  accept(client: Transport, port: number): void {
    const { manager, handler, security, timeouts, settings } = this.#services;
    const refusal = handler.refusal(client.peer.ip, true);
    if (refusal !== null) {
      manager.refuse(refusal, client.peer);
      return client.reset();
    }
    const { timeouts: inForce, limits } = settings();
    const record = manager.createConnection(client, { localPort: port, timeouts: inForce });
    security.holdProcess(record);
    manager.transition(record, 'reading-first-bytes');
    timeouts.arm(record, 'initialData', inForce.initialDataMs);
    const reader = readFirstBytes(
      client,
      {
        proxyHeader: 'required',
        detect: true,
        maxBytes: limits.initialDataBytes || Number.MAX_SAFE_INTEGER,
        onProxyHeader: (header) => this.#admit(record, header),
      },
      (result) => handler.firstBytesRead(record, result),
    );
    record.setOwner(reader);
  }

  /** Null turns it away. */
  #admit(record: ConnectionRecord, header: ProxyHeader): { detect: boolean } | null {
    const { manager, security, clock } = this.#services;
    record.proxyHeaderBytes = header.length;
    const asked = this.#questionOf(header);
    if (asked !== null) {
      this.#answer(record, asked);
      return null;
    }
    const origin = this.#originOf(header);
    if (origin === null) {
      const error = new Error('the header does not prove that it comes from SmartProxy');
      manager.initiateCleanupOnce(record, { reason: 'invalid-proxy-header', error });
      return null;
    }
    const { connectionId, source, destination, listener } = origin;
    record.outer = { id: connectionId, destination };
    record.listener = listener;
    record.localPort = destination.port;
    manager.setClientAddress(record, source);
    record.note(clock.now(), 'bridged', { outer: connectionId, client: source.ip });
    const refusal = security.checkAddress(source.ip);
    if (refusal !== null) {
      manager.initiateCleanupOnce(record, { reason: refusal });
      return null;
    }
    security.hold(record);
    return { detect: true };
  }

  /** What the header says, if it is proven. */
  #originOf(header: ProxyHeader) {
    const claim = claimOf(header, bridgeTlvType);
    if (claim === null) return null;
    const { proofs, clock } = this.#services;
    const listener = proofs.check(claim.proof, claim.facts, clock.wallTime());
    return listener === null ? null : { ...claim.facts, listener };
  }

  /** The outer id of the connection that is asked about; null where none is, or nobody proves to be allowed to. */
  #questionOf(header: ProxyHeader): string | null {
    const claim = claimOf(header, questionTlvType);
    if (claim === null) return null;
    const { proofs, clock } = this.#services;
    const proven = proofs.check(claim.proof, claim.facts, clock.wallTime(), 'question') !== null;
    return proven ? claim.facts.connectionId : null;
  }

  #answer(record: ConnectionRecord, outerId: string): void {
    const { manager, clock } = this.#services;
    record.note(clock.now(), 'asked', { outer: outerId });
    const id = manager.broughtAs(outerId);
    const known = id === undefined ? null : { connection: manager.find(id), story: manager.story(id) };
    record.client.write(Buffer.from(JSON.stringify(known)));
    manager.initiateCleanupOnce(record, { reason: 'responded' });
  }
}

/** What somebody says in a header, and how it is proven. */
function claimOf({ source, destination, tlvs }: ProxyHeader, tlvType: number) {
  const proof = tlvs.other.find(({ type }) => type === tlvType)?.value;
  if (proof === undefined || tlvs.uniqueId === undefined) return null;
  if (source === null || destination === null) return null;
  const facts = { connectionId: Buffer.from(tlvs.uniqueId).toString(), source, destination };
  return { proof, facts };
}
