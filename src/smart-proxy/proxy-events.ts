import { EventEmitter } from 'node:events';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { CertificateFailed, CertificateIssued } from '../certificates/acme/acme-services.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import type { ListeningAddress } from './listening.ts';

export interface SmartProxyEvents {
  ready: [{ listeners: ListeningAddress[]; admin: string | null }];
  /** A connection was accepted and admitted. */
  connection: [RecordSummary];
  'connection-closed': [RecordSummary];
  /** A certificate for `auto` came, and serves. */
  'certificate-issued': [CertificateIssued];
  /** One did not, and is tried again. What served before goes on. */
  'certificate-failed': [CertificateFailed];
  /** Something failed that no call can report: a listener after it was bound. */
  error: [Error];
  /** The end of a drain, whoever began it: nothing is left. */
  stopped: [];
}

type Name = keyof SmartProxyEvents;
type Listener<Event extends Name> = (...args: SmartProxyEvents[Event]) => void;

/** Events with types. A listener that throws changes nothing: it is written to the log. */
export class ProxyEvents {
  readonly #emitter = new EventEmitter();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  on<Event extends Name>(event: Event, listener: Listener<Event>): this {
    this.#emitter.on(event, listener as () => void);
    return this;
  }

  once<Event extends Name>(event: Event, listener: Listener<Event>): this {
    this.#emitter.once(event, listener as () => void);
    return this;
  }

  off<Event extends Name>(event: Event, listener: Listener<Event>): this {
    this.#emitter.off(event, listener as () => void);
    return this;
  }

  /** Nothing is made for an event that nobody hears, and `error` needs no listener. */
  protected tell<Event extends Name>(event: Event, about: () => SmartProxyEvents[Event]): void {
    if (this.#emitter.listenerCount(event) === 0) return;
    try {
      this.#emitter.emit(event, ...about());
    } catch (error) {
      this.#log.error('listener-threw', { event, message: errorMessage(error) });
    }
  }
}
