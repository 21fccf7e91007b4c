import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** Where a row is on the page: rows are laid over each other, and moved down. */
export interface RowPlace {
  readonly style: { readonly height: string; readonly transform: string };
  /** For those who hear the table: rows that are not on the page count too. */
  readonly 'aria-rowindex': number;
}

export interface VirtualTableProps<Item> {
  readonly label: string;
  readonly items: readonly Item[];
  /** Stays above the rows. */
  readonly head?: VNode | false;
  readonly rowHeight: number;
  readonly row: (item: Item, place: RowPlace) => ComponentChildren;
  /** The item that is to be seen; -1: none is chosen. */
  readonly chosen: number;
}

/** Rows above and below what is seen, so that scrolling shows no gap. */
const margin = 8;

/** Thousands of rows of one height, of which only those that are seen are on the page. */
export function VirtualTable<Item>({ label, items, head, rowHeight, row, chosen }: VirtualTableProps<Item>) {
  const frame = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const node = frame.current;
    if (node === null) return;
    const look = (): void => setView({ top: node.scrollTop, height: node.clientHeight });
    const watcher = new ResizeObserver(look);
    watcher.observe(node);
    node.addEventListener('scroll', look, { passive: true });
    return () => {
      watcher.disconnect();
      node.removeEventListener('scroll', look);
    };
  }, []);
  useEffect(() => {
    if (chosen >= 0 && frame.current !== null) reveal(frame.current, chosen * rowHeight, rowHeight);
  }, [chosen, rowHeight]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - margin);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + margin);
  const placeOf = (index: number): RowPlace => ({
    style: { height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` },
    'aria-rowindex': index + 2,
  });
  return (
    <div class="virtual" ref={frame}>
      <table aria-label={label} aria-rowcount={items.length + 1}>
        {head}
        <tbody style={{ height: `${items.length * rowHeight}px` }}>
          {items.slice(first, last).map((item, offset) => row(item, placeOf(first + offset)))}
        </tbody>
      </table>
    </div>
  );
}

/** The head covers as much as one row at the top. */
function reveal(frame: HTMLElement, top: number, height: number): void {
  const head = frame.querySelector('thead')?.clientHeight ?? 0;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (top + height + head > frame.scrollTop + frame.clientHeight)
    frame.scrollTop = top + height + head - frame.clientHeight;
}
