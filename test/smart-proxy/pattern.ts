/** Bytes that tell where they belong: a lost, doubled or strange one shows. */
const period = 251;

export function patternAt(position: number): number {
  return position % period;
}

const long = Buffer.from(Uint8Array.from({ length: period + 1024 * 1024 }, (_, at) => patternAt(at)));

/** `length` bytes (at most 1 MiB) of the pattern, from `start` on. */
export function patternBytes(start: number, length: number): Buffer {
  const from = start % period;
  return long.subarray(from, from + length);
}
