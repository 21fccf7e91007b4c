import type { AcmeClient } from '../protocol/acme-client.ts';
import { AcmeError } from '../protocol/acme-error.ts';
import type { Order } from '../protocol/resources.ts';

/** Enough for what a crash can leave behind, and few requests. */
const maxPages = 50;
const maxOrders = 50;

/**
 * An order for exactly these names that still can come to a certificate, and of which nothing was
 * kept: the process died between the authority's answer and the writing of it. Null: there is none, or
 * the authority does not list orders; then it usually gives the same one again.
 */
export async function findLostOrder(
  client: AcmeClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<{ url: string; order: Order } | null> {
  try {
    const urls = await client.listOrders(maxPages, signal);
    for (const url of urls.slice(-maxOrders).reverse()) {
      const { resource: order } = await client.order(url, signal);
      const isOpen = order.status === 'pending' || order.status === 'ready';
      if (isOpen && isFor(order, names)) return { url, order };
    }
    return null;
  } catch (error) {
    if (
      error instanceof AcmeError &&
      (error.code === 'acme-refused' || error.code === 'acme-invalid-answer')
    ) {
      if (error.type !== 'accountDoesNotExist') return null;
    }
    throw error;
  }
}

function isFor({ identifiers }: Order, names: readonly string[]): boolean {
  const found = identifiers.map(({ value }) => value.toLowerCase()).sort();
  return JSON.stringify(found) === JSON.stringify([...names].sort());
}
