import { Dialog } from './dialog.tsx';
import { pages } from './navigation.tsx';

const others: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'Write in the first field of the page'],
  ['p', 'Connections: pause, and go on'],
  ['↑ ↓', 'Connections: choose one'],
  ['Enter', 'Connections: look at the chosen one'],
  ['x', 'Connections: end the chosen one'],
  ['?', 'This list'],
];

export function ShortcutsDialog({ shown, onClose }: { shown: boolean; onClose: () => void }) {
  const keys = [...pages.map(({ key, title }) => [`g ${key}`, title] as const), ...others];
  return (
    <Dialog title="Keyboard" shown={shown} onClose={onClose}>
      <dl class="shortcuts">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((part) => (
                <kbd key={part}>{part}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-actions">
        <button type="button" class="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
