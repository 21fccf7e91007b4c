/** One server-sent event. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** The largest that is read: ten thousand connections with all their fields have less. */
const maxEventLength = 32_000_000;

/**
 * Cuts a stream into server-sent events (WHATWG HTML §9.2.6), as far as SmartProxy sends them: `event`
 * and `data` lines. Text may come in pieces that are cut anywhere.
 */
export class EventParser {
  #rest = '';

  /** The events that this piece completes. Throws where one would never end. */
  push(piece: string): StreamEvent[] {
    // Only the new piece is looked through: a snapshot comes in hundreds of them.
    const from = Math.max(0, this.#rest.length - 1);
    this.#rest += piece;
    const events: StreamEvent[] = [];
    let start = 0;
    let end = this.#rest.indexOf('\n\n', from);
    while (end >= 0) {
      events.push(readEvent(this.#rest.slice(start, end)));
      start = end + 2;
      end = this.#rest.indexOf('\n\n', start);
    }
    if (start > 0) this.#rest = this.#rest.slice(start);
    if (this.#rest.length > maxEventLength) throw new Error('an event without an end');
    return events;
  }
}

function readEvent(block: string): StreamEvent {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [field, value = ''] = line.split(/: ?(.*)/s, 2);
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  }
  return { event, data: data.join('\n') };
}
