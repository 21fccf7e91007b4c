import { useLayoutEffect, useState } from 'preact/hooks';
import { useLive } from '../live/use-live.ts';
import { goTo, replacePlace } from '../parts/location.ts';
import type { Place } from '../parts/place.ts';
import { placeLink } from '../parts/place.ts';
import { isTyping } from '../parts/shortcuts.ts';
import { count } from '../words/amounts.ts';
import { ConnectionTable } from './connection-table.tsx';
import { EndDialog } from './end-dialog.tsx';
import { type Filter, matcher, readFilter } from './filter.ts';
import { FilterBar } from './filter-bar.tsx';
import { firstOrder, sorted } from './order.ts';
import { usePausable } from './use-pausable.ts';

/** Who is connected, at this moment or at the one when it was paused. */
export function ConnectionsPage({ place }: { place: Place }) {
  const { state } = useLive();
  const filter = readFilter(place.query);
  const [order, setOrder] = useState(firstOrder);
  const [chosen, setChosen] = useState<string | null>(null);
  const [ending, setEnding] = useState<string | null>(null);
  const all = [...state.connections.values()];
  const { paused, shown, toggle } = usePausable(() => {
    const wanted = matcher(filter);
    return sorted(
      all.filter(({ row }) => wanted(row)),
      order,
      state.tick,
    );
  }, [filter.route, filter.state, filter.address, filter.name, order]);
  const index = shown.findIndex(({ row }) => row.id === chosen);
  useListKeys({
    step: (by) => setChosen(shown[Math.min(shown.length - 1, Math.max(0, index + by))]?.row.id ?? null),
    open: () => chosen !== null && goTo(placeLink(['connections', chosen])),
    end: () => setEnding(chosen),
    toggle,
  });
  const onFilter = (next: Filter): void => replacePlace(placeLink(['connections'], { ...next }));
  return (
    <div class="page-fill">
      <div class="page-head">
        <h1>Connections</h1>
        <p class="amount">{amount(shown.length, all.length, state.overview?.counters.active ?? 0)}</p>
      </div>
      <FilterBar {...{ filter, onFilter, paused, order }} rows={all} onPause={toggle} onOrder={setOrder} />
      <ConnectionTable
        {...{ order, chosen, paused }}
        connections={shown}
        tick={state.tick}
        now={state.overview?.at ?? Date.now()}
        onOrder={setOrder}
        onEnd={setEnding}
      />
      <EndDialog id={ending} onClose={() => setEnding(null)} />
    </div>
  );
}

function amount(shown: number, known: number, active: number): string {
  const beyond = active > known ? `, the oldest ${count(known)} of ${count(active)} are shown` : '';
  return shown === known ? `${count(known)} live${beyond}` : `${count(shown)} of ${count(known)}${beyond}`;
}

interface ListKeys {
  step(by: number): void;
  open(): void;
  end(): void;
  toggle(): void;
}

/** The keys of a list; letters in a field are letters. */
function useListKeys({ step, open, end, toggle }: ListKeys): void {
  // Not after painting: two keys in a row would act on what was chosen before the first.
  useLayoutEffect(() => {
    const actions: Readonly<Record<string, () => void>> = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Enter: open,
      x: end,
      p: toggle,
    };
    const onKey = (event: KeyboardEvent): void => {
      const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
      if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target) || isOperated(event)) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
}

/** Enter on a link or a button is for that. */
function isOperated({ key, target }: KeyboardEvent): boolean {
  return key === 'Enter' && target instanceof HTMLElement && target.closest('a, button') !== null;
}
