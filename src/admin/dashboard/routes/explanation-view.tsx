import type { Explanation } from '../admin-api/answers.ts';

const outcomes = { chosen: 'chosen', lost: 'lost', 'no-match': 'no match' } as const;

/** Which route wins, and why the others do not. */
export function ExplanationView({ explanation }: { explanation: Explanation }) {
  const { route, listener, candidates, outcome, story } = explanation;
  return (
    <div class="explanation" role="status">
      {story !== undefined && <p class="story">{story}</p>}
      <p>
        {route === null ? (
          <strong>No route takes it{outcome === undefined ? '' : ` (${outcome})`}.</strong>
        ) : (
          <>
            It takes <strong>{route}</strong>
            {outcome === undefined ? '' : ` (${outcome})`}.
          </>
        )}
        {listener === null && <> Nothing listens there.</>}
      </p>
      <ul class="candidates">
        {candidates.map((candidate) => (
          <li key={candidate.route} class={`candidate candidate-${candidate.outcome}`}>
            <span class="candidate-outcome">{outcomes[candidate.outcome]}</span>
            <strong>{candidate.route}</strong>
            <span>{candidate.why}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
