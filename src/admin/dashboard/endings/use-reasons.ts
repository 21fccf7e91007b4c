import { useMemo } from 'preact/hooks';
import type { ExplainedReason } from '../admin-api/answers.ts';
import { useAnswer } from '../admin-api/use-answer.ts';

/** What the documentation says of each reason; empty until it has come. */
export function useReasons(): ReadonlyMap<string, ExplainedReason> {
  const { answer } = useAnswer<{ reasons: ExplainedReason[] }>('/api/v1/reasons');
  return useMemo(() => new Map(answer?.reasons.map((explained) => [explained.reason, explained])), [answer]);
}
