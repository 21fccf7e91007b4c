import { useEffect, useState } from 'preact/hooks';
import { type Place, readPlace } from './place.ts';

/** Where somebody is, as it changes. */
export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const look = (): void => setHash(location.hash);
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  return readPlace(hash);
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Keeps what is filtered in the address, without a step in the history for each letter. */
export function replacePlace(link: string): void {
  history.replaceState(null, '', link);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
