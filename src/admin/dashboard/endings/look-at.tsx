export interface LookAtProps {
  /** Commands and settings that the documentation names. */
  readonly places: readonly string[];
  /** A connection that ended so. */
  readonly id: string;
}

/** Commands to run and settings to change, as they are written. */
export function LookAt({ places, id }: LookAtProps) {
  const written = places.map((place) => place.replace(/ ID$/, ` ${id}`));
  return (
    <p class="look-at">
      <span class="soft">Look at</span>
      {[...new Set([...written, `smartproxy explain ${id}`])].map((place) => (
        <code key={place}>{place}</code>
      ))}
    </p>
  );
}
