import { useEffect, useState } from 'preact/hooks';
import { goTo } from './location.ts';
import { pages } from './navigation.tsx';
import { placeLink } from './place.ts';

/** How long `g` waits for the letter of a page. */
const secondKeyMs = 1_500;

/** Keys that work on every page: `g` and a letter, `/` for the first field, `?` for the list of them. */
export function useShortcuts(): { shown: boolean; open: () => void; close: () => void } {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    let goingSince = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const going = event.timeStamp - goingSince < secondKeyMs;
      goingSince = event.key === 'g' ? event.timeStamp : Number.NEGATIVE_INFINITY;
      const page = going ? pages.find(({ key }) => key === event.key) : undefined;
      if (page !== undefined) goTo(placeLink([page.name]));
      else if (event.key === '?') setShown(true);
      else if (event.key === '/') focusFirstField(event);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return { shown, open: () => setShown(true), close: () => setShown(false) };
}

/** Letters are letters where somebody types, and keys of a dialog are the dialog's. */
export function isTyping(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  return target instanceof HTMLElement && target.closest('input, select, textarea') !== null;
}

function focusFirstField(event: Event): void {
  const field = document.querySelector<HTMLInputElement>('main input');
  if (field === null) return;
  event.preventDefault();
  field.focus();
  field.select();
}
