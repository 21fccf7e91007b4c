import { useMemo, useState } from 'preact/hooks';
import type { Initiator } from '../../../base/termination.ts';
import { useLive } from '../live/use-live.ts';
import { replacePlace } from '../parts/location.ts';
import { type Place, placeLink } from '../parts/place.ts';
import { count } from '../words/amounts.ts';
import { longDuration } from '../words/durations.ts';
import { EndingGroupCard } from './ending-group-card.tsx';
import { groupEndings } from './ending-groups.ts';
import { useReasons } from './use-reasons.ts';

const initiators: readonly Initiator[] = ['client', 'target', 'proxy', 'operator', 'kernel'];

/** How the last connections ended, those alike together. */
export function EndingsPage({ place }: { place: Place }) {
  const { state } = useLive();
  const reasons = useReasons();
  const [open, setOpen] = useState<string | null>(null);
  const by = place.query.get('by') ?? '';
  const { endings } = state;
  const wanted = useMemo(
    () => endings.filter(({ initiator }) => by === '' || initiator === by),
    [endings, by],
  );
  const groups = useMemo(() => groupEndings(wanted), [wanted]);
  const first = endings[0];
  const now = state.overview?.at ?? Date.now();
  return (
    <>
      <div class="page-head">
        <h1>Endings</h1>
        <p class="amount">
          {first === undefined
            ? 'No connection has ended yet'
            : `the last ${count(endings.length)}, within ${longDuration((now - first.endedAt) / 1000)}`}
        </p>
        <InitiatorChoice
          chosen={by}
          onChoose={(next) => replacePlace(placeLink(['endings'], { by: next }))}
        />
      </div>
      {groups.length === 0 && <p class="nothing">Nothing has ended like that.</p>}
      <div class="groups">
        {groups.map((group) => {
          const key = `${group.reason} ${group.phase}`;
          return (
            <EndingGroupCard
              key={key}
              group={group}
              share={group.endings.length / wanted.length}
              explained={reasons.get(group.reason)}
              open={open === key}
              onToggle={() => setOpen(open === key ? null : key)}
            />
          );
        })}
      </div>
    </>
  );
}

function InitiatorChoice({ chosen, onChoose }: { chosen: string; onChoose: (initiator: string) => void }) {
  return (
    <fieldset class="choice">
      <legend class="hidden">Ended by</legend>
      {['', ...initiators].map((initiator) => (
        <label key={initiator}>
          <input
            type="radio"
            name="initiator"
            checked={initiator === chosen}
            onChange={() => onChoose(initiator)}
          />
          <span>{initiator === '' ? 'all' : initiator}</span>
        </label>
      ))}
    </fieldset>
  );
}
