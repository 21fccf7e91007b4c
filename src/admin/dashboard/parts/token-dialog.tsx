import { useState } from 'preact/hooks';
import { useChanges } from '../live/use-changes.ts';
import { useServices } from '../live/use-live.ts';
import { Dialog } from './dialog.tsx';

/** Asks for the token where the server wants one. */
export function TokenDialog() {
  const { tokens, stream } = useServices();
  const [text, setText] = useState('');
  useChanges(tokens);
  const give = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === '') return;
    tokens.give(text.trim());
    setText('');
    stream.start();
  };
  return (
    <Dialog title="A token is needed" shown={tokens.needed}>
      <form onSubmit={give}>
        <p>
          This server answers to those who know its token: <code>admin.token</code> of the configuration. It
          is kept in this tab until you close it.
        </p>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="off"
            autofocus
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        {tokens.wrong && (
          <p class="problem" role="alert">
            That is not the token.
          </p>
        )}
        <div class="dialog-actions">
          <button type="submit" class="primary">
            Continue
          </button>
        </div>
      </form>
    </Dialog>
  );
}
