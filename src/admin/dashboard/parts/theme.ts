import { useEffect, useState } from 'preact/hooks';

export type ThemeChoice = 'system' | 'light' | 'dark';
export const themeChoices: readonly ThemeChoice[] = ['system', 'light', 'dark'];

const key = 'smartproxy-theme';
const changed = 'smartproxy-theme-changed';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

export function themeChoice(): ThemeChoice {
  const stored = localStorage.getItem(key);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

/** Remembered by this browser; no cookie. */
export function chooseTheme(choice: ThemeChoice): void {
  localStorage.setItem(key, choice);
  applyTheme();
  dispatchEvent(new Event(changed));
}

/** The style sheet goes by `data-theme`, and by the system's choice where that is missing. */
export function applyTheme(): void {
  const choice = themeChoice();
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

/** What the page looks like now: for what is painted rather than styled. */
export function usePageTheme(): 'light' | 'dark' {
  const [theme, setTheme] = useState(pageTheme);
  useEffect(() => {
    const look = (): void => setTheme(pageTheme());
    systemIsDark.addEventListener('change', look);
    addEventListener(changed, look);
    return () => {
      systemIsDark.removeEventListener('change', look);
      removeEventListener(changed, look);
    };
  }, []);
  return theme;
}

function pageTheme(): 'light' | 'dark' {
  const choice = themeChoice();
  if (choice !== 'system') return choice;
  return systemIsDark.matches ? 'dark' : 'light';
}
