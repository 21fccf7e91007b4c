import { useState } from 'preact/hooks';
import { failureText } from '../admin-api/admin-api.ts';
import type { Explanation, Route } from '../admin-api/answers.ts';
import { useServices } from '../live/use-live.ts';
import { ExplanationView } from './explanation-view.tsx';

/** A field to ask which route somebody would take. */
export function ExplainForm({ routes }: { routes: readonly Route[] }) {
  const { api } = useServices();
  const [target, setTarget] = useState('');
  const [client, setClient] = useState('');
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const ask = async (event: Event): Promise<void> => {
    event.preventDefault();
    const query = new URLSearchParams({
      target: target.trim(),
      ...(client.trim() !== '' && { client: client.trim() }),
    });
    try {
      setExplanation(await api.get<Explanation>(`/api/v1/explain?${query}`));
      setProblem(null);
    } catch (error) {
      setExplanation(null);
      setProblem(failureText(error));
    }
  };
  return (
    <section class="card explain">
      <h2>Which route would it take?</h2>
      <form onSubmit={(event) => void ask(event)}>
        <label class="field field-grow">
          Where to
          <input
            type="text"
            value={target}
            placeholder={exampleOf(routes)}
            spellcheck={false}
            autocomplete="off"
            required
            onInput={(event) => setTarget(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          From (optional)
          <input
            type="text"
            value={client}
            placeholder="127.0.0.1"
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setClient(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Explain
        </button>
      </form>
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {explanation !== null && <ExplanationView explanation={explanation} />}
    </section>
  );
}

/** Something that would work here. */
function exampleOf(routes: readonly Route[]): string {
  const named = routes.find(({ match, listeners }) => match.domains !== null && listeners.length > 0);
  const port = named?.listeners[0]?.port ?? 443;
  return `tls://${named?.match.domains?.[0]?.replace('*', 'www') ?? 'a.test'}:${port}`;
}
