import { useState } from 'preact/hooks';
import { failureText } from '../admin-api/admin-api.ts';
import { useServices } from '../live/use-live.ts';
import { Dialog } from '../parts/dialog.tsx';
import { endpoint } from '../words/endpoints.ts';

/** Asks once more before a connection is ended. Null: it is not asked for. */
export function EndDialog({ id, onClose }: { id: string | null; onClose: () => void }) {
  const { api, stream } = useServices();
  const [problem, setProblem] = useState<string | null>(null);
  const row = id === null ? undefined : stream.state.connections.get(id)?.row;
  const close = (): void => {
    setProblem(null);
    onClose();
  };
  const end = async (): Promise<void> => {
    try {
      await api.delete(`/api/v1/connections/${encodeURIComponent(id ?? '')}`);
      close();
    } catch (error) {
      setProblem(failureText(error));
    }
  };
  return (
    <Dialog title="End this connection?" shown={id !== null} onClose={close}>
      <p>
        {row === undefined ? (
          <>It seems to have ended by itself.</>
        ) : (
          <>
            <strong>{endpoint(row.client, row.clientPort)}</strong>
            {row.route !== null && <> on route {row.route}</>}
            {row.target !== null && <> to {row.target}</>}
          </>
        )}
      </p>
      <p class="soft">
        Both sides get a reset, and what is pending is dropped. It will be told as <code>operator</code>.
      </p>
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="plain" onClick={close}>
          Keep it
        </button>
        <button type="button" class="danger" onClick={() => void end()}>
          End it
        </button>
      </div>
    </Dialog>
  );
}
