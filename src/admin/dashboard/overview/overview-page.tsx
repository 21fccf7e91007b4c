import { useMemo, useState } from 'preact/hooks';
import { layersOf, timesOf } from '../figures/series.ts';
import { useLive } from '../live/use-live.ts';
import { Chart } from '../parts/chart.tsx';
import { chartsOf, colourOf, perSecond } from './charts.ts';
import { Tiles } from './tiles.tsx';
import { type Window, WindowChoice, windows } from './window-choice.tsx';

/** How it goes: what a look from the door should tell. */
export function OverviewPage() {
  const { state } = useLive();
  const [window, setWindow] = useState<Window>(windows[1]);
  const spans = useMemo(() => state.samples.within(window.seconds, window.stepSeconds), [state.tick, window]);
  const times = useMemo(() => timesOf(spans), [spans]);
  if (state.overview === null) return <p class="waiting">Waiting for the first figures …</p>;
  const common = { times, windowSeconds: window.seconds, colour: colourOf };
  return (
    <>
      <div class="page-head">
        <h1>Overview</h1>
        <WindowChoice chosen={window} onChoose={setWindow} />
      </div>
      <Tiles overview={state.overview} recent={state.samples.last(5)} />
      {!state.measured && (
        <p class="nothing">
          Nothing is measured: the configuration says <code>metrics: false</code>.
        </p>
      )}
      <div class="charts">
        <section class="card card-wide">
          <Chart
            {...common}
            title="Endings by reason"
            series={layersOf(spans, ({ terminations }) => terminations)}
            format={perSecond}
            height={220}
            stacked
            empty="No connection has ended in this time."
          />
        </section>
        {chartsOf(spans).map((content) => (
          <section class="card" key={content.title}>
            <Chart {...common} {...content} />
          </section>
        ))}
      </div>
    </>
  );
}
