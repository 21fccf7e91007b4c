import { readdirSync, statSync } from 'node:fs';

/** What connections may use of the limit; the rest is for dials, DNS, the admin API and files. */
const connectionShare = 0.8;
/** A connection that is forwarded has two sockets. */
const descriptorsPerConnection = 2;

const descriptorFolder = '/proc/self/fd';

/**
 * Open descriptors of this process; null where the system does not tell. Linux 6.2 and later tells it as
 * the size of the folder; to list thousands of descriptors would stop the event loop for tens of milliseconds.
 */
export function openDescriptors(): number | null {
  try {
    const { size } = statSync(descriptorFolder);
    return size > 0 ? size : readdirSync(descriptorFolder).length - 1; // less the one that reads the folder
  } catch {
    return null;
  }
}

/**
 * Keeps EMFILE from ever being reached: Node would accept and drop connections without a word
 * (L23). Descriptors that are not ours (a program that embeds us has its own) shrink the budget.
 */
export class DescriptorBudget {
  readonly #limit: number;
  #others = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether one more connection fits beside those that are open. */
  admits(openConnections: number): boolean {
    const wanted = (openConnections + 1) * descriptorsPerConnection;
    const othersBeyondReserve = Math.max(0, this.#others - (this.#limit * (1 - connectionShare)) / 2);
    return wanted + othersBeyondReserve <= this.#limit * connectionShare;
  }

  /** Corrects what others use, from a count of everything that is open. */
  observe(openConnections: number): void {
    const open = openDescriptors();
    if (open !== null) this.#others = Math.max(0, open - openConnections * descriptorsPerConnection);
  }
}
