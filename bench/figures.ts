/** The figures that SmartProxy has to reach, and the tables that show whether it does. */
import { type Measurements, type QuantityName, quantities } from './measurements.ts';
import { type ProxyName, proxyNames } from './proxies.ts';

interface Figure {
  readonly name: string;
  readonly value: (measured: Measurements) => number | undefined;
  readonly limit: number;
  readonly direction: 'at least' | 'at most';
  readonly unit: string;
}

function ratio(
  quantity: QuantityName,
  other: ProxyName,
  limit: number,
  direction: Figure['direction'] = 'at least',
): Figure {
  const name = `${quantities[quantity].name}, over ${other}`;
  return {
    name,
    value: (measured) => measured.ratio(quantity, 'smartproxy', other),
    limit,
    direction,
    unit: '×',
  };
}

function absolute(quantity: QuantityName, limit: number): Figure {
  const { name, unit } = quantities[quantity];
  return {
    name,
    value: (measured) => measured.median(quantity, 'smartproxy'),
    limit,
    direction: 'at most',
    unit,
  };
}

const figures: readonly Figure[] = [
  ratio('bulk1', 'haproxy', 1.05),
  ratio('bulk1', 'nginx', 1.05),
  ratio('bulk1', 'pipe', 1.7),
  ratio('bulk4', 'haproxy', 0.9),
  ratio('small', 'haproxy', 0.75),
  ratio('small99', 'haproxy', 1.5, 'at most'),
  ratio('connections', 'haproxy', 0.4),
  ratio('connections', 'pipe', 0.8),
  ratio('idle1000', 'pipe', 1.15, 'at most'),
  ratio('idle8000', 'pipe', 1.15, 'at most'),
  absolute('idle8000', 13),
  {
    name: 'memory of an idle pair, 8,000 open over 1,000 open',
    value: (measured) => {
      const [many, few] = [
        measured.median('idle8000', 'smartproxy'),
        measured.median('idle1000', 'smartproxy'),
      ];
      return many === undefined || few === undefined ? undefined : many / few;
    },
    limit: 1.15,
    direction: 'at most',
    unit: '×',
  },
  absolute('routing', 2),
  absolute('cleanup', 50),
];

/** The medians, a row for each quantity that was measured. */
export function measuredTable(measured: Measurements): string {
  const rows = (Object.keys(quantities) as QuantityName[]).flatMap((key) => {
    const { name, unit, digits } = quantities[key];
    const cells = proxyNames.map((proxy) => measured.median(key, proxy)?.toFixed(digits) ?? '');
    return cells.every((cell) => cell === '') ? [] : [[`${name} (${unit})`, ...cells]];
  });
  return table(['', ...proxyNames], rows);
}

/** Each figure with what was reached. Not measured in this run: not in the table. */
export function figuresTable(measured: Measurements): { text: string; missed: number } {
  const rows: string[][] = [];
  let missed = 0;
  for (const { name, value, limit, direction, unit } of figures) {
    const reached = value(measured);
    if (reached === undefined) continue;
    const pass = direction === 'at least' ? reached >= limit : reached <= limit;
    if (!pass) missed++;
    rows.push([
      name,
      `${direction} ${limit} ${unit}`,
      `${reached.toFixed(2)} ${unit}`,
      pass ? 'reached' : 'MISSED',
    ]);
  }
  return { text: table(['figure', 'to reach', 'measured', ''], rows), missed };
}

/** A Markdown table whose columns line up in a terminal too. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, index) =>
    Math.max(3, title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, index) => (cells[index] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
