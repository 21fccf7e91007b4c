import type { ConnectionRecord } from '../admin-api/answers.ts';
import { longDuration } from '../words/durations.ts';

/** What would end this connection, and when; a bar runs out with each. */
export function Waits({ waits }: { waits: NonNullable<ConnectionRecord['waits']> }) {
  if (waits.length === 0) return <p class="soft">Nothing: no deadline is set for what it does now.</p>;
  return (
    <ul class="waits">
      {waits.map(({ setting, ofMs, leftMs }) => (
        <li key={setting}>
          <code>{setting}</code>
          <span class="wait-left">
            {longDuration(leftMs / 1000)} <span class="soft">of {longDuration(ofMs / 1000)} left</span>
          </span>
          <progress
            max={Math.max(leftMs, ofMs)}
            value={Math.max(0, leftMs)}
            aria-label={`${setting}, what is left`}
          />
        </li>
      ))}
    </ul>
  );
}
