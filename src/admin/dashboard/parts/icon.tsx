/** Strokes on a field of 24 by 24. */
const strokes = {
  overview: 'M4 19V11M10 19V5M16 19v-6M22 19H2',
  connections: 'M3 7h13l-4-4M21 17H8l4 4',
  endings: 'M12 3v9M6.3 6.5a8 8 0 1 0 11.4 0',
  routes: 'M4 5h4c6 0 2 14 8 14h4M16 5h4M17 16l3 3-3 3',
  certificates: 'M12 3l7 3v6c0 4.5-3 7.6-7 9-4-1.4-7-4.5-7-9V6zM9 12l2 2 4-4',
  flows: 'M4 4h16v16H4zM8 1v3M16 1v3M8 20v3M16 20v3M1 8h3M1 16h3M20 8h3M20 16h3M9 9h6v6H9z',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 4l13 8-13 8z',
  close: 'M6 6l12 12M18 6L6 18',
  back: 'M20 12H5M11 5l-7 7 7 7',
  up: 'M12 19V6M6 11l6-6 6 6',
  down: 'M12 5v13M6 13l6 6 6-6',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M21 21l-5-5',
  sun: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10M12 1v2M12 21v2M1 12h2M21 12h2M4 4l2 2M18 18l2 2M4 20l2-2M18 6l2-2',
  moon: 'M20 14A8.5 8.5 0 1 1 10 4a7 7 0 0 0 10 10z',
  system: 'M3 4h18v12H3zM8 21h8M12 16v5',
  check: 'M4 12l6 6L20 6',
  alert: 'M12 3L2 21h20zM12 10v5M12 18v.5',
  keyboard: 'M2 6h20v12H2zM6 10h.5M10 10h.5M14 10h.5M18 10h.5M7 14h10',
} as const;

export type IconName = keyof typeof strokes;

/** Decoration: what it means is written beside it, or in the label of the button around it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width={size} height={size} aria-hidden="true">
      <path d={strokes[name]} />
    </svg>
  );
}
