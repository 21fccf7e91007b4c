/**
 * HPACK's Huffman code (RFC 7541 §5.2, Appendix B). It is canonical: the lengths of its codes say
 * everything, as codes of one length ascend with their symbols.
 */

/** Of each byte's code, and last of EOS. */
const codeLengths: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];

const endOfString = 256;
const longest = 30;

/** Two places for each node: where 0 leads and where 1 does. A symbol is there as −1 − symbol. */
const tree: Int16Array = plant();

function plant(): Int16Array {
  const nodes: number[] = [0, 0];
  let code = 0;
  for (let length = 1; length <= longest; length++) {
    for (let symbol = 0; symbol <= endOfString; symbol++) {
      if (codeLengths[symbol] === length) grow(nodes, code++, length, symbol);
    }
    code *= 2;
  }
  return Int16Array.from(nodes);
}

function grow(nodes: number[], code: number, length: number, symbol: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const place = node + ((code >>> bit) & 1);
    if (nodes[place] === 0) nodes[place] = nodes.push(0, 0) - 2;
    node = nodes[place]!;
  }
  nodes[node + (code & 1)] = -1 - symbol;
}

/** Where texts are put together, of this many bytes at first. */
let scratch = Buffer.allocUnsafeSlow(4096);
/** The shortest code has 5 bits. */
const mostSymbolsPerByte = 8 / 5;

/** The text, one character for each byte; null where it is none: a wrong end, or EOS within it. */
export function huffmanText(bytes: Uint8Array, start: number, end: number): string | null {
  const most = Math.ceil((end - start) * mostSymbolsPerByte);
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * most);
  let length = 0;
  let node = 0;
  /** Bits since the last symbol, and whether all of them were 1. */
  let depth = 0;
  let ones = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    for (let bit = 7; bit >= 0; bit--) {
      const one = (byte >>> bit) & 1;
      node = tree[node + one]!;
      depth++;
      if (one === 0) ones = false;
      if (node >= 0) continue;
      const symbol = -1 - node;
      if (symbol === endOfString) return null;
      scratch[length++] = symbol;
      node = 0;
      depth = 0;
      ones = true;
    }
  }
  return depth > 7 || !ones ? null : scratch.toString('latin1', 0, length);
}
