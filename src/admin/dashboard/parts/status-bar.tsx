import type { ProxyState } from '../../live/messages.ts';
import type { StreamStatus } from '../live/live-stream.ts';
import { useLive } from '../live/use-live.ts';
import { Icon } from './icon.tsx';
import { ThemeButton } from './theme-button.tsx';

type Light = 'good' | 'warning' | 'bad';

const proxyStates: Readonly<Record<ProxyState, readonly [Light, string]>> = {
  ready: ['good', 'Ready'],
  starting: ['warning', 'Starting'],
  draining: ['warning', 'Draining: no new connections'],
  stopped: ['bad', 'Stopped'],
};

const streamStates: Readonly<Record<Exclude<StreamStatus, 'live'>, readonly [Light, string]>> = {
  connecting: ['warning', 'Connecting …'],
  lost: ['bad', 'Not reachable, trying again'],
  refused: ['warning', 'A token is needed'],
  stopped: ['bad', 'Stopped, waiting for it to come back'],
};

/** How the proxy is, and whether what the page shows is of this moment. */
export function StatusBar({ onHelp }: { onHelp: () => void }) {
  const { status, state } = useLive();
  const { overview, version } = state;
  const [light, text] = status === 'live' ? proxyStates[overview?.state ?? 'starting'] : streamStates[status];
  return (
    <header class="status-bar">
      <p class="status" role="status">
        <span class={`light light-${light}`} />
        {text}
      </p>
      {overview !== null && <AuditLight consistent={overview.audit.consistent} />}
      <span class="space" />
      {version !== '' && <span class="version">{version}</span>}
      <button
        type="button"
        class="quiet wide-only"
        onClick={onHelp}
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
      >
        <Icon name="keyboard" />
      </button>
      <ThemeButton />
    </header>
  );
}

/** Whether records, sockets and counters agree. */
function AuditLight({ consistent }: { consistent: boolean }) {
  const text = consistent ? 'Books agree' : 'Books differ';
  return (
    <span
      class={`chip chip-${consistent ? 'good' : 'bad'}`}
      title="The self-audit: records, sockets and counters"
    >
      <Icon name={consistent ? 'check' : 'alert'} size={13} />
      {text}
    </span>
  );
}
