import { useState } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';
import { chooseTheme, type ThemeChoice, themeChoice, themeChoices } from './theme.ts';

const icons: Readonly<Record<ThemeChoice, IconName>> = { system: 'system', light: 'sun', dark: 'moon' };

/** As the system wants it, light, dark, and again. */
export function ThemeButton() {
  const [choice, setChoice] = useState(themeChoice);
  const next = themeChoices[(themeChoices.indexOf(choice) + 1) % themeChoices.length] as ThemeChoice;
  const onClick = (): void => {
    chooseTheme(next);
    setChoice(next);
  };
  return (
    <button
      type="button"
      class="quiet"
      onClick={onClick}
      aria-label={`Colours: ${choice}; change to ${next}`}
      title={`Colours: ${choice}`}
    >
      <Icon name={icons[choice]} />
    </button>
  );
}
