/** Field lines that came by HTTP/2: names and values in turn, as Node lists them, without the pseudo-fields. */
export class FieldList {
  readonly #lines: string[] = [];
  /** Of names and values together. */
  bytes = 0;
  #cookieAt = -1;

  /** Crumbs of Cookie are put together again, in the place of the first (RFC 9113 §8.2.3). */
  add(name: string, value: string): void {
    this.bytes += name.length + value.length;
    if (name === 'cookie') {
      if (this.#cookieAt >= 0) {
        this.#lines[this.#cookieAt] += `; ${value}`;
        return;
      }
      this.#cookieAt = this.#lines.length + 1;
    }
    this.#lines.push(name, value);
  }

  /** Several values are joined. */
  field(name: string): string | undefined {
    const lines = this.#lines;
    let joined: string | undefined;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i] !== name) continue;
      joined = joined === undefined ? lines[i + 1]! : `${joined}, ${lines[i + 1]!}`;
    }
    return joined;
  }

  values(name: string): string[] {
    const lines = this.#lines;
    const values: string[] = [];
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) values.push(lines[i + 1]!);
    return values;
  }

  each(visit: (name: string, value: string) => void): void {
    const lines = this.#lines;
    for (let i = 0; i < lines.length; i += 2) visit(lines[i]!, lines[i + 1]!);
  }

  /** Content-Length; −1 where there is none. What is no number was refused. */
  get contentLength(): number {
    const text = this.field('content-length');
    return text === undefined ? -1 : Number(text);
  }
}
