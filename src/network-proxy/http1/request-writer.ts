import type { Loan, Transport } from '../../base/transport.ts';
import type { BodyForm, HttpRequest, RequestChanges, Trailers } from '../exchange.ts';
import { chunkOf, endOfChunks } from './chunk-writer.ts';
import { hopByHopFields } from './connection-options.ts';
import { mergePlaces } from './dropped-fields.ts';
import { copyRequestHead } from './head-writer.ts';
import { hopByHopNames } from './hop-by-hop-names.ts';
import { MessageOutput } from './message-output.ts';

const chunkedLine = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const emptyLine = Buffer.from('\r\n', 'latin1');

/** Writes requests to one backend's connection, one after the other, always as HTTP/1.1. */
export class RequestWriter {
  readonly #out: MessageOutput;
  /** Every piece of content is written as a chunk. */
  #chunking = false;
  done = false;

  constructor(transport: Transport) {
    this.#out = new MessageOutput(transport);
  }

  open(request: HttpRequest, changes: RequestChanges, form: BodyForm): void {
    const { http1, hasBody } = request;
    const out = this.#out;
    this.#chunking = hasBody && form === 'content' && request.contentLength < 0;
    this.done = !hasBody;
    if (http1 === null) out.add(startOfFields(request, changes));
    else {
      const { target, authority, dropped } = changes;
      const drop = mergePlaces(dropped, hopByHopFields(http1));
      copyRequestHead(http1, { drop, target, host: authority }, out.head);
    }
    out.add(changes.added.lines);
    // With a body it is a request like any other: nobody could tell where the other protocol begins.
    if (request.upgrade !== null && !hasBody) out.add(upgradeLines(request.upgrade));
    if (this.#chunking && http1 === null) out.add(chunkedLine);
    out.add(emptyLine);
    out.complete();
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (!this.#chunking) return this.#out.put(bytes, loan);
    return bytes.length === 0 || this.#out.put(chunkOf(bytes));
  }

  end(trailers: Trailers): void {
    if (this.#chunking) this.#out.put(endOfChunks(trailers));
    this.done = true;
  }
}

function upgradeLines(protocol: string): Buffer {
  return Buffer.from(`Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`, 'latin1');
}

/**
 * The head of a request that did not come by HTTP/1, without what is added. An extended CONNECT
 * (RFC 8441) is what Upgrade is in HTTP/1: a GET.
 */
function startOfFields(request: HttpRequest, changes: RequestChanges): Buffer {
  const method = request.upgrade === null ? request.method : 'GET';
  let text = `${method} ${changes.target ?? request.target} HTTP/1.1\r\n`;
  text += `Host: ${changes.authority ?? request.authority}\r\n`;
  let place = 0;
  request.eachField((name, value) => {
    const lower = name.toLowerCase();
    const stays = !changes.dropped.includes(place++) && lower !== 'host' && !hopByHopNames.has(lower);
    if (stays) text += `${name}: ${value}\r\n`;
  });
  return Buffer.from(text, 'latin1');
}
