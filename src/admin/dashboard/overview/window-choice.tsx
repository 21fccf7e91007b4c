export interface Window {
  readonly name: string;
  readonly seconds: number;
  /** What is one point of a chart: single seconds are spikes that say nothing. */
  readonly stepSeconds: number;
}

export const windows = [
  { name: '1 min', seconds: 60, stepSeconds: 2 },
  { name: '5 min', seconds: 300, stepSeconds: 5 },
  { name: '15 min', seconds: 900, stepSeconds: 15 },
  { name: '1 hour', seconds: 3600, stepSeconds: 60 },
] as const satisfies readonly Window[];

/** How far back the charts go. */
export function WindowChoice({ chosen, onChoose }: { chosen: Window; onChoose: (window: Window) => void }) {
  return (
    <fieldset class="choice">
      <legend class="hidden">Time shown</legend>
      {windows.map((window) => (
        <label key={window.name}>
          <input
            type="radio"
            name="window"
            checked={window.seconds === chosen.seconds}
            onChange={() => onChoose(window)}
          />
          <span>{window.name}</span>
        </label>
      ))}
    </fieldset>
  );
}
