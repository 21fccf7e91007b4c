import { useLive } from '../live/use-live.ts';
import { placeLink } from '../parts/place.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { bytes, count } from '../words/amounts.ts';
import { longDuration } from '../words/durations.ts';
import { endpoint } from '../words/endpoints.ts';

/** More are no help: the connections page can filter them. */
const shownFlows = 500;

/** What the kernel forwards by itself, for routes with `engine: 'nftables'`. */
export function FlowsPage() {
  const { state } = useLive();
  const flows = [...state.connections.values()].filter(({ row }) => row.engine === 'nftables');
  const now = state.overview?.at ?? Date.now();
  return (
    <>
      <div class="page-head">
        <h1>Kernel flows</h1>
        <p class="amount">{count(flows.length)}</p>
      </div>
      {flows.length === 0 ? (
        <p class="nothing">
          The kernel forwards nothing at this moment. A route with <code>engine: 'nftables'</code> hands its
          connections to it.
        </p>
      ) : (
        <table class="plain-table">
          <thead>
            <tr>
              <th>State</th>
              <th>Client</th>
              <th>Route</th>
              <th>Target</th>
              <th class="numeric">From client</th>
              <th class="numeric">To client</th>
              <th class="numeric">Age</th>
            </tr>
          </thead>
          <tbody>
            {flows.slice(0, shownFlows).map(({ row, bytes: total }) => (
              <tr key={row.id}>
                <td>
                  <StateMark state={row.state} />
                </td>
                <td>
                  <a href={placeLink(['connections', row.id])}>{endpoint(row.client, row.clientPort)}</a>
                </td>
                <td>{row.route ?? '–'}</td>
                <td>{row.target ?? '–'}</td>
                <td class="numeric">{bytes(total.fromClient)}</td>
                <td class="numeric">{bytes(total.toClient)}</td>
                <td class="numeric">{longDuration((now - row.startedAt) / 1000)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
