import { Icon, type IconName } from './icon.tsx';
import { placeLink } from './place.ts';

export interface PageEntry {
  readonly name: string;
  readonly title: string;
  /** Where there is little room. */
  readonly short: string;
  readonly icon: IconName;
  /** Pressed after `g`. */
  readonly key: string;
}

export const pages: readonly PageEntry[] = [
  { name: 'overview', title: 'Overview', short: 'Overview', icon: 'overview', key: 'o' },
  { name: 'connections', title: 'Connections', short: 'Live', icon: 'connections', key: 'c' },
  { name: 'endings', title: 'Endings', short: 'Endings', icon: 'endings', key: 'e' },
  { name: 'routes', title: 'Routes', short: 'Routes', icon: 'routes', key: 'r' },
  { name: 'certificates', title: 'Certificates', short: 'Certs', icon: 'certificates', key: 't' },
  { name: 'flows', title: 'Kernel flows', short: 'Flows', icon: 'flows', key: 'f' },
];

export function Navigation({ current }: { current: string }) {
  return (
    <nav class="navigation" aria-label="Pages">
      <a class="brand" href={placeLink(['overview'])}>
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path d="M5 11h8l6 10h8M5 21h8l6-10h8" />
        </svg>
        <span>SmartProxy</span>
      </a>
      <ul>
        {pages.map(({ name, title, short, icon }) => (
          <li key={name}>
            <a
              href={placeLink([name])}
              aria-label={title}
              aria-current={name === current ? 'page' : undefined}
            >
              <Icon name={icon} />
              <span class="wide-only">{title}</span>
              <span class="narrow-only" aria-hidden="true">
                {short}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
