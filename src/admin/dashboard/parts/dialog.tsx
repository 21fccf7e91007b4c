import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface DialogProps {
  readonly title: string;
  readonly shown: boolean;
  /** Escape, or a click beside it. Not given: it stays until it has its answer. */
  readonly onClose?: () => void;
  readonly children: ComponentChildren;
}

/** The browser's own: it keeps the focus inside, and gives it back. */
export function Dialog({ title, shown, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (shown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [shown]);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      closedby={onClose === undefined ? 'none' : 'any'}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      {shown && (
        <div class="dialog-body">
          <h2>{title}</h2>
          {children}
        </div>
      )}
    </dialog>
  );
}
