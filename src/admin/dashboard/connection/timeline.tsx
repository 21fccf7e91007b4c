import type { ConnectionRecord } from '../admin-api/answers.ts';
import { duration } from '../words/durations.ts';
import { type Side, type Step, stepsOf } from './trail.ts';

const sides: readonly Side[] = ['client', 'proxy', 'target'];
const names: Readonly<Record<Side, string>> = { client: 'Client', proxy: 'Proxy', target: 'Target' };

/** The trail from top to bottom; each step stands in the lane of whose doing it is. */
export function Timeline({ record }: { record: ConnectionRecord }) {
  const steps = stepsOf(record);
  return (
    <div class="timeline">
      <div class="lanes" aria-hidden="true">
        <span />
        {sides.map((side) => (
          <span key={side}>{names[side]}</span>
        ))}
      </div>
      <ol>
        {steps.map((step, index) => (
          <StepLine key={index} step={step} before={steps[index - 1]?.atMs ?? 0} />
        ))}
        {record.termination === null && <li class="step step-open">still open</li>}
      </ol>
    </div>
  );
}

function StepLine({ step, before }: { step: Step; before: number }) {
  const { atMs, side, title, details, tone } = step;
  return (
    <li class={`step step-${side} tone-${tone}`}>
      <span class="step-time" title={`${duration(atMs - before)} after the step before`}>
        {duration(atMs)}
      </span>
      <span class="step-dot" aria-hidden="true" />
      <div class="step-text">
        <strong>
          <span class="step-side hidden">{names[side]}: </span>
          {title}
        </strong>
        {details.map((detail) => (
          <span class="step-detail" key={detail}>
            {detail}
          </span>
        ))}
      </div>
    </li>
  );
}
