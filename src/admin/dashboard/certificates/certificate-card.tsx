import type { Certificate } from '../admin-api/answers.ts';
import { dateTime } from '../words/durations.ts';
import { lifeOf, sourceWords } from './validity.ts';

/** One certificate: its names, and how long it is good. */
export function CertificateCard({ certificate, now }: { certificate: Certificate; now: number }) {
  const { names, subject, problem } = certificate;
  const { text, tone, left } = lifeOf(certificate, now);
  return (
    <section class="card certificate">
      <div class="route-head">
        <h2>{names.length === 0 ? (subject ?? 'without a name') : names.join(', ')}</h2>
        <span class={`chip chip-${tone}`}>{text}</span>
      </div>
      <progress value={left} aria-label="What is left of its life" />
      {problem !== null && <p class="error-text">{problem}</p>}
      <dl class="facts">
        {factsOf(certificate).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function factsOf(certificate: Certificate): [name: string, value: string][] {
  const { validTo, certFile, issuer, authority, renewAt, nextAttemptAt, fingerprint } = certificate;
  const time = (text: string | null): string | null => (text === null ? null : dateTime(Date.parse(text)));
  const facts: [string, string | null][] = [
    ['Until', time(validTo)],
    ['From', sourceWords(certificate)],
    ['File', certFile],
    ['Issuer', issuer],
    ['Authority', authority],
    ['Renewed at', time(renewAt)],
    ['Tried again at', time(nextAttemptAt)],
    ['SHA-256', fingerprint],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}
