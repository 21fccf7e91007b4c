import type { Certificate } from '../admin-api/answers.ts';
import { longDuration } from '../words/durations.ts';

/** A third of the life of a certificate is when it should have been renewed. */
const renewShare = 1 / 3;

export interface Life {
  readonly text: string;
  readonly tone: 'good' | 'warning' | 'bad';
  /** What is left, from 1 to 0. */
  readonly left: number;
}

/** How long a certificate is good, and whether somebody should worry. */
export function lifeOf({ validFrom, validTo, ordering }: Certificate, now: number): Life {
  if (validFrom === null || validTo === null) {
    return ordering ? { text: 'on order', tone: 'warning', left: 0 } : { text: 'none', tone: 'bad', left: 0 };
  }
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (now >= to) return { text: `expired ${longDuration((now - to) / 1_000)} ago`, tone: 'bad', left: 0 };
  if (now < from) return { text: `good in ${longDuration((from - now) / 1_000)}`, tone: 'bad', left: 1 };
  const left = (to - now) / (to - from);
  const text = `${longDuration((to - now) / 1_000)} left${ordering ? ', the next is on order' : ''}`;
  return { text, tone: left < renewShare ? 'warning' : 'good', left };
}

const sources: Readonly<Record<Certificate['source'], string>> = {
  files: 'files',
  inline: 'the configuration itself',
  local: 'the local authority',
  auto: 'an authority, by ACME',
};

export function sourceWords({ source }: Certificate): string {
  return sources[source] ?? source;
}
