import { useState } from 'preact/hooks';
import type { ConnectionRecord } from '../admin-api/answers.ts';
import { useAnswer } from '../admin-api/use-answer.ts';
import { EndDialog } from '../connections/end-dialog.tsx';
import { useLive } from '../live/use-live.ts';
import { Icon } from '../parts/icon.tsx';
import { placeLink } from '../parts/place.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { EndingCard } from './ending-card.tsx';
import { Facts } from './facts.tsx';
import { Sides } from './sides.tsx';
import { Timeline } from './timeline.tsx';
import { Waits } from './waits.tsx';

/** One connection: live, it moves; ended, it tells why. */
export function ConnectionPage({ id }: { id: string }) {
  const { state } = useLive();
  const [ending, setEnding] = useState(false);
  const live = state.connections.get(id);
  // Asked for again while it lives, with each tick, and once more when it has ended.
  const path = `/api/v1/connections/${encodeURIComponent(id)}`;
  const { answer, problem } = useAnswer<ConnectionRecord>(path, live === undefined ? 'ended' : state.tick);
  if (answer === null) return <Missing id={id} problem={problem} />;
  const alive = answer.termination === null;
  return (
    <div class="connection">
      <div class="page-head">
        <a class="back" href={placeLink([alive ? 'connections' : 'endings'])}>
          <Icon name="back" size={16} /> {alive ? 'Connections' : 'Endings'}
        </a>
        <h1>
          Connection <code>{answer.id}</code>
        </h1>
        <StateMark state={answer.state} />
        <span class="space" />
        {alive && (
          <button type="button" class="danger-quiet" onClick={() => setEnding(true)}>
            <Icon name="close" size={15} /> End it
          </button>
        )}
      </div>
      {answer.termination !== null && <EndingCard record={answer} termination={answer.termination} />}
      <Sides record={answer} live={live} tick={state.tick} />
      <div class="columns">
        <section class="card">
          <h2>What happened</h2>
          <Timeline record={answer} />
        </section>
        <div class="column">
          {alive && (
            <section class="card">
              <h2>What it waits for</h2>
              <Waits waits={answer.waits ?? []} />
            </section>
          )}
          <section class="card">
            <h2>Facts</h2>
            <Facts record={answer} now={state.overview?.at ?? Date.now()} />
          </section>
        </div>
      </div>
      <EndDialog id={ending ? id : null} onClose={() => setEnding(false)} />
    </div>
  );
}

function Missing({ id, problem }: { id: string; problem: string | null }) {
  return (
    <>
      <div class="page-head">
        <a class="back" href={placeLink(['connections'])}>
          <Icon name="back" size={16} /> Connections
        </a>
        <h1>
          Connection <code>{id}</code>
        </h1>
      </div>
      <p class="nothing">{problem === null ? 'Looking …' : `Nothing is known of it: ${problem}.`}</p>
    </>
  );
}
