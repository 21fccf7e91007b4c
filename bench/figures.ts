/** The figures that SmartProxy has to reach, and the tables that show whether it does. */
import { httpProxyNames, nodePeers } from './http-proxies.ts';
import type { KernelContestant } from './kernel-hosts.ts';
import { type Contestant, type Measurements, type QuantityName, quantities } from './measurements.ts';
import { proxyNames } from './proxies.ts';

interface Figure {
  readonly name: string;
  readonly value: (measured: Measurements) => number | undefined;
  readonly limit: number;
  readonly direction: 'at least' | 'at most';
  readonly unit: string;
}

function ratio(
  quantity: QuantityName,
  other: Contestant,
  limit: number,
  direction: Figure['direction'] = 'at least',
  proxy: Contestant = 'smartproxy',
): Figure {
  const name = `${quantities[quantity].name}, over ${other}`;
  return {
    name,
    value: (measured) => measured.ratio(quantity, proxy, other),
    limit,
    direction,
    unit: '×',
  };
}

function overNodePeers(quantity: QuantityName, limit: number): Figure {
  return {
    name: `${quantities[quantity].name}, over the best Node peer`,
    value: (measured) => measured.ratioToBest(quantity, 'smartproxy', nodePeers),
    limit,
    direction: 'at least',
    unit: '×',
  };
}

function absolute(
  quantity: QuantityName,
  limit: number,
  direction: Figure['direction'] = 'at most',
  proxy: Contestant = 'smartproxy',
): Figure {
  const { name, unit } = quantities[quantity];
  return { name, value: (measured) => measured.median(quantity, proxy), limit, direction, unit };
}

function ofKernel(quantity: QuantityName, other: Contestant, limit: number): Figure {
  return ratio(quantity, other, limit, 'at least', 'nftables');
}

function atMostOfKernel(quantity: QuantityName, limit: number): Figure {
  return absolute(quantity, limit, 'at most', 'nftables');
}

/** One quantity over another of the same proxy. */
function ofOther(above: QuantityName, below: QuantityName, proxy: Contestant): Figure['value'] {
  return (measured) => {
    const [one, other] = [measured.median(above, proxy), measured.median(below, proxy)];
    return one === undefined || other === undefined ? undefined : one / other;
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
    value: ofOther('idle8000', 'idle1000', 'smartproxy'),
    limit: 1.15,
    direction: 'at most',
    unit: '×',
  },
  absolute('routing', 2),
  absolute('cleanup', 50),
  ratio('observedSmall', 'unobserved', 0.95),
  ratio('observedHttp', 'unobserved', 0.95),
  absolute('scrape', 20),
  absolute('dashboardBrowser', 20),
  absolute('admin99', 50),
  overNodePeers('http', 3),
  ratio('httpCpu', 'nginx', 1.5, 'at most'),
  overNodePeers('httpPost', 3),
  ratio('httpPostCpu', 'nginx', 1.5, 'at most'),
  overNodePeers('https', 2.5),
  ratio('httpsCpu', 'nginx', 1.6, 'at most'),
  overNodePeers('httpsPost', 2.5),
  ratio('httpsPostCpu', 'nginx', 1.6, 'at most'),
  overNodePeers('http2', 2),
  ratio('http2Cpu', 'nginx', 2, 'at most'),
  ratio('handshakesCpu', 'nginx', 1.25, 'at most'),
  ratio('resumptionsCpu', 'nginx', 1.5, 'at most'),
  ratio('tlsBulkCpu', 'nginx', 1.5, 'at most'),
  overNodePeers('tlsBulk', 2),
  ratio('idleTls', 'tls-server', 1.2, 'at most'),
  ratio('handOverConnection', 'tls-server', 1.1, 'at most'),
  ratio('handOverResumed', 'tls-server', 1.1, 'at most'),
  ratio('handOverBytes', 'tls-server', 1.1, 'at most'),
  ofKernel('kernelBulk', 'direct', 0.95),
  ofKernel('kernelBulk', 'haproxy', 1.4),
  atMostOfKernel('kernelCpu', 1),
  ofKernel('kernelConnections', 'direct', 0.9),
  atMostOfKernel('kernelLoad', 200),
  atMostOfKernel('kernelReload', 50),
  absolute('kernelRecords', 50_000, 'at least', 'nftables'),
  atMostOfKernel('kernelAstray', 0),
  {
    name: 'flows in a burst, over those at a steady rate',
    value: ofOther('kernelBurstRate', 'kernelRate', 'nftables'),
    limit: 10,
    direction: 'at least',
    unit: '×',
  },
  absolute('kernelBurstRecords', 50_000, 'at least', 'nftables'),
  atMostOfKernel('kernelBurstAstray', 0),
  absolute('kernelOverruns', 1, 'at least', 'nftables'),
];

const forwardedBytes: readonly Contestant[] = [...proxyNames, 'unobserved'];
const terminated: readonly Contestant[] = [...httpProxyNames, 'tls-server', 'loopback'];
const betweenHosts: readonly Contestant[] = ['direct', 'haproxy', 'nftables'] satisfies KernelContestant[];
const lastOfBytes = Object.keys(quantities).indexOf('routing');
const firstBetweenHosts = Object.keys(quantities).indexOf('kernelBulk');

/**
 * The medians, a row for each quantity that was measured: what forwards bytes, what ends TLS and speaks
 * HTTP, and what forwards between hosts.
 */
export function measuredTable(measured: Measurements): string {
  const names = Object.keys(quantities) as QuantityName[];
  const tables = [
    medians(measured, names.slice(0, lastOfBytes + 1), forwardedBytes),
    medians(measured, names.slice(lastOfBytes + 1, firstBetweenHosts), terminated),
    medians(measured, names.slice(firstBetweenHosts), betweenHosts),
  ];
  return tables.filter((text) => text !== '').join('\n\n');
}

function medians(
  measured: Measurements,
  names: readonly QuantityName[],
  contestants: readonly Contestant[],
): string {
  const wasMeasured = (name: QuantityName, contestant: Contestant): boolean =>
    measured.median(name, contestant) !== undefined;
  const shown = names.filter((name) => contestants.some((contestant) => wasMeasured(name, contestant)));
  const columns = contestants.filter((contestant) => shown.some((name) => wasMeasured(name, contestant)));
  if (shown.length === 0) return '';
  const rows = shown.map((key) => {
    const { name, unit, digits } = quantities[key];
    return [
      `${name} (${unit})`,
      ...columns.map((column) => measured.median(key, column)?.toFixed(digits) ?? ''),
    ];
  });
  return table(['', ...columns], rows);
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
