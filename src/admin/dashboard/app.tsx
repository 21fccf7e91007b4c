import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { CertificatesPage } from './certificates/certificates-page.tsx';
import { ConnectionPage } from './connection/connection-page.tsx';
import { ConnectionsPage } from './connections/connections-page.tsx';
import { EndingsPage } from './endings/endings-page.tsx';
import { FlowsPage } from './flows/flows-page.tsx';
import { OverviewPage } from './overview/overview-page.tsx';
import { usePlace } from './parts/location.ts';
import { Navigation, pages } from './parts/navigation.tsx';
import type { Place } from './parts/place.ts';
import { useShortcuts } from './parts/shortcuts.ts';
import { ShortcutsDialog } from './parts/shortcuts-dialog.tsx';
import { StatusBar } from './parts/status-bar.tsx';
import { TokenDialog } from './parts/token-dialog.tsx';
import { RoutesPage } from './routes/routes-page.tsx';

const components: Readonly<Record<string, ComponentType<{ place: Place }>>> = {
  overview: OverviewPage,
  connections: ConnectionsPage,
  endings: EndingsPage,
  routes: RoutesPage,
  certificates: CertificatesPage,
  flows: FlowsPage,
};

/** The frame of every page. */
export function App() {
  const place = usePlace();
  const [name = 'overview', id] = place.path;
  const known = Object.hasOwn(components, name) ? name : 'overview';
  const main = useRef<HTMLElement>(null);
  const shortcuts = useShortcuts();
  const title = pages.find((page) => page.name === known)?.title ?? '';
  useEffect(() => {
    document.title = `${title} · SmartProxy`;
  }, [title]);
  const Page = components[known] as ComponentType<{ place: Place }>;
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Navigation current={known} />
      <StatusBar onHelp={shortcuts.open} />
      <main id="main" ref={main} tabIndex={-1} data-page={known}>
        {known === 'connections' && id !== undefined ? (
          <ConnectionPage key={id} id={id} />
        ) : (
          <Page place={place} />
        )}
      </main>
      <TokenDialog />
      <ShortcutsDialog shown={shortcuts.shown} onClose={shortcuts.close} />
    </div>
  );
}
