import { useEffect, useState } from 'preact/hooks';
import { useServices } from '../live/use-live.ts';
import { failureText } from './admin-api.ts';

export interface Answered<Answer> {
  /** The last one that came: it stays while the next is on its way. */
  readonly answer: Answer | null;
  /** Why the last call failed; null: it did not. */
  readonly problem: string | null;
}

const nothingYet = { answer: null, problem: null };

/** Asks the admin API, and again whenever `version` changes. Null asks for nothing. */
export function useAnswer<Answer>(path: string | null, version: unknown = 0): Answered<Answer> {
  const { api, tokens } = useServices();
  const [answered, setAnswered] = useState<Answered<Answer>>(nothingYet);
  useEffect(() => setAnswered(nothingYet), [path]);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    api.get<Answer>(path, abort.signal).then(
      (answer) => setAnswered({ answer, problem: null }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setAnswered(({ answer }) => ({ answer, problem: failureText(error) }));
      },
    );
    return () => abort.abort();
  }, [api, path, version, tokens.needed]);
  return answered;
}
