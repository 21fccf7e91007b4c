export interface SparklineProps {
  readonly values: readonly number[];
  readonly label: string;
  /** How many values there is room for. */
  readonly width: number;
}

const height = 32;

/** A line without axes: how something went, at a glance. One unit of width for each value, the last at the right. */
export function Sparkline({ values, label, width }: SparklineProps) {
  const most = Math.max(1, ...values);
  const first = width - values.length;
  const heightOf = (value: number): string => (height - 2 - (value / most) * (height - 4)).toFixed(1);
  const line = values.map((value, index) => `${first + index},${heightOf(value)}`).join(' ');
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
      preserveAspectRatio="none"
    >
      <polygon points={`${first},${height} ${line} ${width - 1},${height}`} />
      <polyline points={line} />
    </svg>
  );
}
