import type { LiveRow } from '../../live/messages.ts';
import { placeLink } from '../parts/place.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { bytes, count } from '../words/amounts.ts';
import { endpoint } from '../words/endpoints.ts';

export interface FlowTableProps<Row extends LiveRow> {
  readonly flows: readonly Row[];
  /** What the last column is called, and tells. */
  readonly last: string;
  readonly tell: (flow: Row) => string;
}

/** Wider than a telephone: there it is moved sideways. */
export function FlowTable<Row extends LiveRow>({ flows, last, tell }: FlowTableProps<Row>) {
  return (
    <div class="sideways">
      <table class="plain-table">
        <thead>
          <tr>
            <th>State</th>
            <th>Client</th>
            <th>Route</th>
            <th>Target</th>
            <th class="numeric">Received</th>
            <th class="numeric">Sent</th>
            <th class="numeric">Packets</th>
            <th class="numeric">{last}</th>
          </tr>
        </thead>
        <tbody>
          {flows.map((flow) => (
            <tr key={flow.id}>
              <td>
                <StateMark state={flow.state} />
              </td>
              <td>
                <a href={placeLink(['connections', flow.id])}>{endpoint(flow.client, flow.clientPort)}</a>
              </td>
              <td>{flow.route ?? '–'}</td>
              <td>{flow.target ?? '–'}</td>
              <td class="numeric">{bytes(flow.fromClient)}</td>
              <td class="numeric">{bytes(flow.toClient)}</td>
              <td class="numeric">{packetsOf(flow)}</td>
              <td class="numeric">{tell(flow)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** In both directions; what the kernel did not tell is not in it. */
function packetsOf({ packets, exact }: LiveRow): string {
  if (packets === undefined) return '–';
  const sum = count(packets.fromClient + packets.toClient);
  return exact === false ? `over ${sum}` : sum;
}
