import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isKernelRoute, type KernelRoute, servesFamily } from '../../src/config/kernel-route.ts';
import { ConfigurationError } from '../../src/config/problems.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { rangeOf } from '../../src/nftables/address-ranges.ts';
import { type Placement, placeRoutes } from '../../src/nftables/placements.ts';
import { compileRoutes } from '../../src/routing/route-index.ts';
import { machine } from '../fuzz/nftables/configurations.ts';

/** Few addresses, ports and clients, so that routes meet. */
const localAddresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
const clients = ['192.0.2.1', '192.0.2.2', '192.0.2.130', '198.51.100.1'];
const ports = [80, 81, 82, 83];

const match = fc.record(
  {
    ports: fc.constantFrom(80, 81, 83, { from: 80, to: 82 }, { from: 81, to: 83 }, [80, 82]),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '0.0.0.0', '::'),
    clientIp: fc.subarray(['192.0.2.0/24', '192.0.2.0/25', '192.0.2.1', '0.0.0.0/0', '192.0.2.128/25'], {
      minLength: 1,
    }),
  },
  { requiredKeys: ['ports'] },
);

const kernelRoutes: fc.Arbitrary<KernelRoute[]> = fc
  .array(fc.record({ match, priority: fc.constantFrom(0, 0, 0, 1) }), { minLength: 1, maxLength: 6 })
  .map((list) => {
    const routes = list.map((entry, index) => ({
      ...entry,
      name: `route-${index}`,
      action: { type: 'forward', engine: 'nftables', target: { host: '10.1.0.1', port: 9000 } },
    }));
    try {
      return resolveOptions({ routes }, machine).options.routes.filter(isKernelRoute);
    } catch (error) {
      if (error instanceof ConfigurationError) return [];
      throw error;
    }
  })
  .filter((routes) => routes.length > 0);

/** As the kernel looks up: the address's own placement first, then the one for all of them. */
function lookUp(placements: readonly Placement[], address: string, port: number, client: string) {
  const number = rangeOf(client, 4)?.from as bigint;
  const fits = (placement: Placement): boolean =>
    placement.ports.from <= port &&
    port <= placement.ports.to &&
    placement.clients.from <= number &&
    number <= placement.clients.to;
  const [own, any] = [address, null].map((wanted) =>
    placements.filter((placement) => placement.address === wanted && fits(placement)),
  );
  assert.ok((own?.length ?? 0) <= 1 && (any?.length ?? 0) <= 1, 'no two placements share a connection');
  return (own?.[0] ?? any?.[0])?.route.name;
}

test('the kernel gives every connection the route that this process would', () => {
  fc.assert(
    fc.property(kernelRoutes, (routes) => {
      const placements = placeRoutes(routes, 4);
      const index = compileRoutes(routes.filter((route) => servesFamily(route, 4)));
      for (const address of localAddresses) {
        for (const port of ports) {
          const listener = index.listeners.find(
            (spec) => spec.port === port && [null, '0.0.0.0', address].includes(spec.address),
          );
          const table = listener === undefined ? undefined : index.table(listener.key, address);
          for (const clientIp of clients) {
            const route = table?.match({ clientIp, kind: 'none', serverName: null, alpn: [] });
            assert.equal(
              lookUp(placements, address, port, clientIp),
              route?.name,
              `${address} ${port} ${clientIp}`,
            );
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});
