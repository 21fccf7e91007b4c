import type { EndedRow, LiveRow } from '../../live/messages.ts';
import { useLive } from '../live/use-live.ts';
import { count } from '../words/amounts.ts';
import { longDuration } from '../words/durations.ts';
import { FlowTable } from './flow-table.tsx';

/** More are no help: the connections page can filter them. */
const shownFlows = 500;
const shownEndings = 50;

/** What the kernel forwards by itself, for routes with `engine: 'nftables'`. */
export function FlowsPage() {
  const { state } = useLive();
  const now = state.overview?.at ?? Date.now();
  const flows = [...state.connections.values()].map(({ row }) => row).filter(isFlow);
  const ended = state.endings.filter(isFlow).slice(-shownEndings).reverse();
  return (
    <>
      <div class="page-head">
        <h1>Kernel flows</h1>
        <p class="amount">{count(flows.length)} live</p>
      </div>
      {flows.length === 0 && (
        <p class="nothing">
          The kernel forwards nothing at this moment. A route with <code>engine: 'nftables'</code> hands its
          connections to it.
        </p>
      )}
      {flows.length > 0 && (
        <FlowTable
          flows={flows.slice(0, shownFlows)}
          last="Age"
          tell={({ startedAt }) => longDuration((now - startedAt) / 1_000)}
        />
      )}
      {ended.length > 0 && (
        <>
          <h2 class="section">Ended lately</h2>
          <FlowTable flows={ended} last="Ended by" tell={({ reason }: EndedRow) => reason} />
        </>
      )}
    </>
  );
}

function isFlow({ engine }: LiveRow): boolean {
  return engine === 'nftables';
}
