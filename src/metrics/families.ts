import type { DurationHistogram } from './duration-histogram.ts';
import type { Family, HistogramFamily, Line } from './exposition.ts';
import type { Metrics } from './metrics.ts';
import type { Labels } from './route-figures.ts';

/** What others count, asked for at each scrape. */
export interface MetricsSources {
  readonly eventLoopDelay: DurationHistogram;
  /** Sockets less records, as the audit found it to last; 0 when the books agree. */
  auditDifference(): number;
  networkProxy(): {
    readonly connectedClients: number;
    readonly portProxyConnections: number;
    readonly tlsTerminatedConnections: number;
    readonly pools: readonly { readonly target: string; readonly idle: number; readonly busy: number }[];
  };
  certificates(): Iterable<CertificateExpiry>;
  /** Milliseconds since the epoch. */
  wallTime(): number;
}

/** When a certificate that serves ends. */
export interface CertificateExpiry {
  readonly names: readonly string[];
  /** ISO 8601. */
  /** Null: it is not there yet. */
  readonly validTo: string | null;
}

/** Targets may be the result of a function, names of certificates whatever clients ask for: each told one by one up to here. */
const maxLabelledTargets = 500;
const maxLabelledDomains = 1_000;
const others = '(other)';

/** Every metric of SmartProxy. The names are the public contract; docs/metrics.md describes them. */
export function metricFamilies(metrics: Metrics, sources: MetricsSources): (Family | HistogramFamily)[] {
  return [...connectionFamilies(metrics), ...networkProxyFamilies(metrics, sources), ...ownFamilies(sources)];
}

function connectionFamilies(metrics: Metrics): (Family | HistogramFamily)[] {
  return [
    {
      name: 'connections_active',
      help: 'Connections that are open now.',
      type: 'gauge',
      lines: () => metrics.routes.all().map(({ labels, active }) => ({ labels, value: active })),
    },
    {
      name: 'connections_opened_total',
      help: 'Connections that were let in, counted once their route is known.',
      type: 'counter',
      lines: () => metrics.routes.all().map(({ labels, opened }) => ({ labels, value: opened })),
    },
    {
      name: 'connections_refused_total',
      help: 'Connections that were turned away before anything was read.',
      type: 'counter',
      lines: () => Object.entries(metrics.refusals).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: 'connections_terminated_total',
      help: 'Connections that ended, by reason, by whom they were ended, and in which phase.',
      type: 'counter',
      lines: () => metrics.routes.all().flatMap((figures) => figures.endings()),
    },
    histogram('connection_duration_seconds', 'How long connections lasted.', metrics.connectionDurations),
    {
      name: 'bytes_total',
      help: "TCP payload on the client's side, of live and ended connections.",
      type: 'counter',
      lines: () => byteLines(metrics),
    },
    histogram('dial_duration_seconds', 'How long dials took, DNS included.', metrics.dialDurations),
  ];
}

function networkProxyFamilies(metrics: Metrics, sources: MetricsSources): (Family | HistogramFamily)[] {
  const figures = sources.networkProxy;
  return [
    histogram(
      'tls_handshake_duration_seconds',
      'How long TLS handshakes with clients took, from the ClientHello to their end.',
      metrics.handshakeDurations,
    ),
    single('network_proxy_connected_clients', 'gauge', 'Clients that NetworkProxy has now.', () => {
      return figures().connectedClients;
    }),
    single(
      'network_proxy_port_proxy_connections',
      'gauge',
      'Those of them that came over the bridge.',
      () => figures().portProxyConnections,
    ),
    single(
      'network_proxy_tls_terminated_total',
      'counter',
      'TLS handshakes with clients that were completed.',
      () => figures().tlsTerminatedConnections,
    ),
    {
      name: 'http_requests_total',
      help: 'HTTP requests that are over, by the status of their answer (none: the client left before).',
      type: 'counter',
      lines: () => metrics.routes.all().flatMap((route) => route.requests()),
    },
    histogram(
      'http_request_duration_seconds',
      'How long HTTP requests took, from their head to the end of the answer.',
      metrics.requestDurations,
    ),
    {
      name: 'pool_connections',
      help: 'Connections to backends.',
      type: 'gauge',
      lines: () => poolLines(figures().pools),
    },
  ];
}

function ownFamilies(sources: MetricsSources): (Family | HistogramFamily)[] {
  return [
    {
      name: 'certificate_expiry_seconds',
      help: 'How long the certificate that serves a domain is still valid; negative once it is not.',
      type: 'gauge',
      lines: () => certificateLines(sources),
    },
    single('audit_difference', 'gauge', 'Open sockets less records; anything but 0 is a bug.', () =>
      sources.auditDifference(),
    ),
    histogram(
      'event_loop_delay_seconds',
      'How late the event loop was, looked at ten times a second.',
      sources.eventLoopDelay,
    ),
  ];
}

function histogram(name: string, help: string, durations: DurationHistogram): HistogramFamily {
  return { name, help, type: 'histogram', durations };
}

const noLabels: Labels = {};

function single(name: string, type: Family['type'], help: string, value: () => number): Family {
  return { name, help, type, lines: () => [{ labels: noLabels, value: value() }] };
}

function byteLines(metrics: Metrics): Line[] {
  const totals = metrics.routeTotals();
  return [...metrics.routes.all()].flatMap(({ route, fromClientLabels, toClientLabels }) => {
    const { fromClient = 0, toClient = 0 } = totals.get(route)?.bytes ?? {};
    return [
      { labels: fromClientLabels, value: fromClient },
      { labels: toClientLabels, value: toClient },
    ];
  });
}

/** Several pools may lead to one target. */
function poolLines(pools: ReturnType<MetricsSources['networkProxy']>['pools']): Line[] {
  const byTarget = new Map<string, { idle: number; busy: number }>();
  for (const { target, idle, busy } of pools) {
    const label = byTarget.has(target) || byTarget.size < maxLabelledTargets ? target : others;
    const sum = byTarget.get(label) ?? { idle: 0, busy: 0 };
    byTarget.set(label, { idle: sum.idle + idle, busy: sum.busy + busy });
  }
  return [...byTarget].flatMap(([target, { idle, busy }]) => [
    { labels: { target, state: 'idle' }, value: idle },
    { labels: { target, state: 'busy' }, value: busy },
  ]);
}

/** Where several certificates have one name, the one that ends first is told. */
function certificateLines(sources: MetricsSources): Line[] {
  const byDomain = new Map<string, number>();
  for (const { names, validTo } of sources.certificates()) {
    if (validTo === null) continue;
    const seconds = Math.round((Date.parse(validTo) - sources.wallTime()) / 1000);
    for (const name of names) {
      const domain = byDomain.has(name) || byDomain.size < maxLabelledDomains ? name : others;
      byDomain.set(domain, Math.min(seconds, byDomain.get(domain) ?? seconds));
    }
  }
  return Array.from(byDomain, ([domain, value]) => ({ labels: { domain }, value }));
}
