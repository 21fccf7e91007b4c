import type { ConnectionRecord, Explanation } from '../admin-api/answers.ts';
import { useAnswer } from '../admin-api/use-answer.ts';
import { LookAt } from '../endings/look-at.tsx';
import { useReasons } from '../endings/use-reasons.ts';
import { InitiatorTag } from '../parts/initiator-tag.tsx';
import { dateTime } from '../words/durations.ts';
import { phaseWords } from '../words/initiators.ts';
import { isCalm } from './trail.ts';

export interface EndingCardProps {
  readonly record: ConnectionRecord;
  readonly termination: NonNullable<ConnectionRecord['termination']>;
}

/** Why it ended: the reason, its story where the proxy tells one, and where to look. */
export function EndingCard({ record, termination }: EndingCardProps) {
  const { reason, initiator, phase, error, endedAt } = termination;
  const explained = useReasons().get(reason);
  const { answer } = useAnswer<Explanation>(`/api/v1/explain?target=${encodeURIComponent(record.id)}`);
  return (
    <section class={isCalm(reason) ? 'card ending-card calm' : 'card ending-card'}>
      <h2>
        <code>{reason}</code>
        <InitiatorTag initiator={initiator} />
        <span class="soft">while {phaseWords[phase]}</span>
        <time class="soft">{dateTime(Date.parse(endedAt))}</time>
      </h2>
      {answer?.story !== undefined && <p class="story">{answer.story}</p>}
      {error !== null && (
        <p class="error-text">
          <code>{error.code ?? 'error'}</code> {error.message}
        </p>
      )}
      <p>{explained?.text ?? ''}</p>
      <LookAt places={explained?.look ?? []} id={record.id} />
    </section>
  );
}
