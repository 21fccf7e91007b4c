import { useEffect, useState } from 'preact/hooks';

/** Something that tells when it has changed. */
export interface Changing {
  /** Returns what ends it. */
  subscribe(listener: () => void): () => void;
}

/** Draws again whenever it changes, and once for what changed before anybody listened. */
export function useChanges(changing: Changing): void {
  const [, redraw] = useState(0);
  useEffect(() => {
    const draw = (): void => redraw((times) => times + 1);
    const end = changing.subscribe(draw);
    draw();
    return end;
  }, [changing]);
}
