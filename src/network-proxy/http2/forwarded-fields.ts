import type { HeadChanges } from '../exchange.ts';
import { hopByHopNames } from '../http1/hop-by-hop-names.ts';

/** Of a WebSocket's handshake in HTTP/1.1, which HTTP/2 does without (RFC 8441 §5). */
export const handshakeNames: ReadonlySet<string> = new Set(['sec-websocket-key', 'sec-websocket-accept']);

export interface ForwardedHead {
  eachField(visit: (name: string, value: string) => void): void;
  readonly http1: { readonly connectionNames: readonly string[] } | null;
}

/** Shows the fields of a head that goes on by HTTP/2 (RFC 9113 §8.2): names in lower case, nothing of one connection. */
export function eachForwarded(
  head: ForwardedHead,
  { dropped, added }: HeadChanges,
  skipped: ReadonlySet<string> | null,
  visit: (name: string, value: string) => void,
): void {
  const named = head.http1?.connectionNames ?? noNames;
  let place = 0;
  let nextDropped = 0;
  head.eachField((name, value) => {
    if (dropped[nextDropped] === place++) {
      nextDropped++;
      return;
    }
    const lower = name.toLowerCase();
    if (hopByHopNames.has(lower) || named.includes(lower) || skipped?.has(lower) === true) return;
    visit(lower, value);
  });
  for (const [name, value] of added.fields) visit(name.toLowerCase(), value);
}

const noNames: readonly string[] = [];
