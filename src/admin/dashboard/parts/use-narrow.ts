import { useEffect, useState } from 'preact/hooks';

const narrow = matchMedia('(max-width: 760px)');

/** Whether the page is as narrow as a telephone: the same width as in the style sheet. */
export function useNarrow(): boolean {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const look = (): void => setIs(narrow.matches);
    narrow.addEventListener('change', look);
    return () => narrow.removeEventListener('change', look);
  }, []);
  return is;
}
