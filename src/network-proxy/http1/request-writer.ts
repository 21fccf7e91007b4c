import type { Loan, Transport } from '../../base/transport.ts';
import type { BodyForm, HttpRequest, RequestChanges, Trailers } from '../exchange.ts';
import { chunkOf, endOfChunks } from './chunk-writer.ts';
import { hopByHopFields } from './connection-options.ts';
import { mergePlaces } from './dropped-fields.ts';
import type { RequestHead } from './head.ts';
import { writeRequestHead } from './head-writer.ts';
import { HeldWrite } from './held-write.ts';
import { hopByHopNames } from './hop-by-hop-names.ts';

const chunkedLine = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');

/** Writes requests to one backend's connection, one after the other, always as HTTP/1.1. */
export class RequestWriter {
  readonly #out: HeldWrite;
  /** Every piece of content is written as a chunk. */
  #chunking = false;
  done = false;

  constructor(transport: Transport) {
    this.#out = new HeldWrite(transport);
  }

  open(request: HttpRequest, changes: RequestChanges, form: BodyForm, more: boolean): void {
    const { http1 } = request;
    const chunked = request.hasBody && request.contentLength < 0;
    this.#chunking = chunked && form === 'content';
    this.done = !request.hasBody;
    const lines: Uint8Array[] = [];
    if (changes.added.lines.length > 0) lines.push(changes.added.lines);
    if (request.upgrade !== null) lines.push(upgradeLines(request.upgrade));
    const head =
      http1 === null
        ? headOfFields(request, changes, this.#chunking ? [...lines, chunkedLine] : lines)
        : headOfBytes(http1, changes, lines);
    this.#out.head(head, more && request.hasBody);
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (!this.#chunking) return this.#out.put(bytes, loan);
    return bytes.length === 0 || this.#out.put(chunkOf(bytes));
  }

  end(trailers: Trailers): void {
    if (this.#chunking) this.#out.put(endOfChunks(trailers));
    this.#out.flush();
    this.done = true;
  }
}

function headOfBytes(head: RequestHead, changes: RequestChanges, lines: readonly Uint8Array[]): Buffer {
  const { target, authority, dropped } = changes;
  const drop = mergePlaces(dropped, hopByHopFields(head));
  const edits = { drop, lines, ...(target === null ? {} : { target }), ...hostEdit(authority) };
  const written = writeRequestHead(head, edits);
  if ('kind' in written) throw new RangeError(written.why);
  return written;
}

function hostEdit(authority: string | null): { host?: string } {
  return authority === null ? {} : { host: authority };
}

function upgradeLines(protocol: string): Buffer {
  return Buffer.from(`Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`, 'latin1');
}

/**
 * The head of a request that did not come by HTTP/1. An extended CONNECT (RFC 8441) is what
 * Upgrade is in HTTP/1: a GET.
 */
function headOfFields(request: HttpRequest, changes: RequestChanges, lines: readonly Uint8Array[]): Buffer {
  const method = request.upgrade === null ? request.method : 'GET';
  let text = `${method} ${changes.target ?? request.target} HTTP/1.1\r\n`;
  text += `Host: ${changes.authority ?? request.authority}\r\n`;
  let place = 0;
  request.eachField((name, value) => {
    const lower = name.toLowerCase();
    const stays = !changes.dropped.includes(place++) && lower !== 'host' && !hopByHopNames.has(lower);
    if (stays) text += `${name}: ${value}\r\n`;
  });
  return Buffer.concat([Buffer.from(text, 'latin1'), ...lines, Buffer.from('\r\n', 'latin1')]);
}
