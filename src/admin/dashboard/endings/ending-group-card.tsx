import type { EndedRow } from '../../live/messages.ts';
import type { ExplainedReason } from '../admin-api/answers.ts';
import { Icon } from '../parts/icon.tsx';
import { InitiatorTag } from '../parts/initiator-tag.tsx';
import { placeLink } from '../parts/place.ts';
import { bytes, count } from '../words/amounts.ts';
import { clockTime, duration } from '../words/durations.ts';
import { endpoint } from '../words/endpoints.ts';
import { phaseWords } from '../words/initiators.ts';
import type { EndingGroup } from './ending-groups.ts';
import { LookAt } from './look-at.tsx';

export interface EndingGroupCardProps {
  readonly group: EndingGroup;
  /** Of all that are shown. */
  readonly share: number;
  readonly explained: ExplainedReason | undefined;
  readonly open: boolean;
  readonly onToggle: () => void;
}

const shownRoutes = 3;
const shownEndings = 20;

/** One way to end: how often, what it means, where to look, and the newest ones. */
export function EndingGroupCard({ group, share, explained, open, onToggle }: EndingGroupCardProps) {
  const { reason, phase, initiator, endings, routes } = group;
  return (
    <section class={`card group group-${initiator}`}>
      <div class="group-head">
        <h2>
          <code>{reason}</code>
        </h2>
        <InitiatorTag initiator={initiator} />
        <span class="soft">while {phaseWords[phase]}</span>
        <span class="group-count">
          {count(endings.length)}
          <span class="soft"> · {Math.round(share * 100)} %</span>
        </span>
      </div>
      <div class="share" aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </div>
      <p>{explained?.text ?? ''}</p>
      <div class="group-foot">
        <LookAt places={explained?.look ?? []} id={endings[0]?.id ?? 'ID'} />
        <p class="soft">{routes.slice(0, shownRoutes).map(routeCount).join(' · ')}</p>
        <button type="button" class="plain" aria-expanded={open} onClick={onToggle}>
          {open ? 'Hide' : 'Show the newest'}
          <Icon name={open ? 'up' : 'down'} size={13} />
        </button>
      </div>
      {open && <EndedList endings={endings.slice(0, shownEndings)} />}
    </section>
  );
}

function routeCount([route, times]: readonly [route: string | null, count: number]): string {
  return `${route ?? 'no route'} ${count(times)}`;
}

function EndedList({ endings }: { endings: readonly EndedRow[] }) {
  return (
    <ul class="ended-list">
      {endings.map((ended) => (
        <li key={ended.id}>
          <time>{clockTime(ended.endedAt)}</time>
          <a href={placeLink(['connections', ended.id])}>{endpoint(ended.client, ended.clientPort)}</a>
          <span class="soft">{ended.name ?? ended.target ?? ended.route ?? ''}</span>
          <span class="numeric">{duration(ended.durationMs)}</span>
          <span class="numeric soft">
            {bytes(ended.fromClient)} in, {bytes(ended.toClient)} out
          </span>
          {ended.error !== null && <span class="error-text">{ended.error}</span>}
        </li>
      ))}
    </ul>
  );
}
