import { comma, equalsWord, skipWhile, space, tab, tokenByte } from './bytes.ts';
import type { Head } from './head.ts';
import { fieldIdOf, hopByHopBits, knownFields, neverDroppedBits } from './known-fields.ts';
import type { RefusalCode } from './refusals.ts';

/** Each name is compared with each field: a head full of names would cost seconds. */
const maxNames = 32;

/**
 * Reads Connection into the head (RFC 9110 §7.6.1). An option that is no token is refused, and so
 * is one that would have the next recipient go without Host, Content-Length or Transfer-Encoding.
 */
export function readConnection(head: Head): RefusalCode | null {
  const id = knownFields.connection;
  for (let index = head.fields.indexOf(id); index >= 0; index = head.fields.indexOf(id, index + 1)) {
    const start = head.start + head.fields.valueStart(index);
    const refused = readOptions(head, start, head.start + head.fields.valueEnd(index));
    if (refused !== null) return refused;
  }
  if (head.fields.has(knownFields['proxy-connection'])) readProxyConnection(head);
  return null;
}

/**
 * Proxy-Connection is no standard (RFC 9112 C.2.2), but some senders mean it and some readers obey
 * it: `close` is believed, because closing is safe whoever is right. All else in it is ignored.
 */
function readProxyConnection(head: Head): void {
  const options = (head.field('proxy-connection') ?? '').split(',');
  if (options.some((option) => option.trim().toLowerCase() === 'close')) head.closeOption = true;
}

/** Elements are separated by commas; empty ones are allowed (RFC 9110 §5.6.1.2). */
function readOptions(head: Head, start: number, end: number): RefusalCode | null {
  const { bytes } = head;
  let at = start;
  while (at < end) {
    if (bytes[at] === comma || bytes[at] === space || bytes[at] === tab) {
      at++;
      continue;
    }
    const optionEnd = skipWhile(bytes, at, end, tokenByte);
    if (optionEnd === at) return 'connection-option';
    const refused = readOption(head, at, optionEnd);
    if (refused !== null) return refused;
    at = optionEnd;
    while (at < end && (bytes[at] === space || bytes[at] === tab)) at++;
    if (at < end && bytes[at] !== comma) return 'connection-option';
  }
  return null;
}

function readOption(head: Head, start: number, end: number): RefusalCode | null {
  const { bytes } = head;
  if (equalsWord(bytes, start, end, 'close')) head.closeOption = true;
  else if (equalsWord(bytes, start, end, 'keep-alive')) head.keepAliveOption = true;
  else if (equalsWord(bytes, start, end, 'upgrade')) head.upgradeOption = true;
  else {
    const bit = 1 << fieldIdOf(bytes, start, end);
    if ((bit & neverDroppedBits) !== 0) return 'connection-names-framing';
    if ((bit & hopByHopBits) !== 0) return null;
    if (head.connectionNames.length === maxNames) return 'connection-names-too-many';
    head.connectionNames = [...head.connectionNames, bytes.toString('latin1', start, end).toLowerCase()];
  }
  return null;
}

/** What is asked for by `Connection: upgrade` must be a list of protocols: `name` or `name/version` (RFC 9110 §7.8), at least one. */
export function upgradeRefusal(head: Head): RefusalCode | null {
  const { upgrade } = head;
  if (upgrade === null) return null;
  const protocols = upgrade.split(',').map((protocol) => protocol.trim());
  return protocols.every((protocol) => protocolPattern.test(protocol)) ? null : 'upgrade-invalid';
}

const protocolPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/;

/**
 * The fields that must not be forwarded, as ascending indices: those of one connection only, and
 * those that Connection names. The caller writes its own Connection, and Upgrade where it tunnels.
 */
export function hopByHopFields(head: Head): number[] {
  const { fields, connectionNames } = head;
  const dropped: number[] = [];
  if ((fields.seen & hopByHopBits) === 0) return dropped;
  for (let index = 0; index < fields.count; index++) {
    const known = ((1 << fields.ids[index]!) & hopByHopBits) !== 0;
    if (known || isOneOf(head, index, connectionNames)) dropped.push(index);
  }
  return dropped;
}

function isOneOf(head: Head, index: number, names: readonly string[]): boolean {
  for (let i = 0; i < names.length; i++) if (head.isNamed(index, names[i]!)) return true;
  return false;
}
