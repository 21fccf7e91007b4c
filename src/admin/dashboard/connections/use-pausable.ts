import { useRef, useState } from 'preact/hooks';

/**
 * What `look` sees, which stands still while it is paused. What is asked for (`asked`) can be changed
 * meanwhile: then it looks once.
 */
export function usePausable<Shown>(look: () => Shown, asked: readonly unknown[]) {
  const [paused, setPaused] = useState(false);
  const frozen = useRef<{ shown: Shown; asked: readonly unknown[] } | null>(null);
  const same = frozen.current?.asked.every((value, index) => value === asked[index]) ?? false;
  if (!paused || frozen.current === null || !same) frozen.current = { shown: look(), asked };
  return { paused, shown: frozen.current.shown, toggle: () => setPaused((before) => !before) };
}
