import type { ConnectionRecord } from '../admin-api/answers.ts';
import { placeLink } from '../parts/place.ts';
import { count } from '../words/amounts.ts';
import { dateTime, duration, longDuration } from '../words/durations.ts';

/** Everything else that the record says. */
export function Facts({ record, now }: { record: ConnectionRecord; now: number }) {
  const { route, tls, termination } = record;
  const startedAt = Date.parse(record.startedAt);
  const quietMs = now - Date.parse(record.lastActivityAt);
  return (
    <dl class="facts">
      <dt>Route</dt>
      <dd>{route === null ? 'none yet' : <a href={placeLink(['routes'], { route })}>{route}</a>}</dd>
      <dt>Name</dt>
      <dd>{tls?.serverName ?? 'none'}</dd>
      <dt>TLS</dt>
      <dd>{tls === null ? 'none' : tls.mode}</dd>
      {tls !== null && tls.alpn.length > 0 && (
        <>
          <dt>ALPN</dt>
          <dd>{tls.alpn.join(', ')}</dd>
        </>
      )}
      <dt>Forwarded by</dt>
      <dd>{engineOf(record)}</dd>
      {record.packets !== undefined && (
        <>
          <dt>Packets</dt>
          <dd>
            {count(record.packets.fromClient)} received, {count(record.packets.toClient)} sent
            {record.exact === false && ', and some that nobody counted'}
          </dd>
        </>
      )}
      {record.requests > 0 && (
        <>
          <dt>Requests</dt>
          <dd>{count(record.requests)}</dd>
        </>
      )}
      {record.outer !== undefined && (
        <>
          <dt>In the proxy in front</dt>
          <dd>{record.outer}</dd>
        </>
      )}
      <dt>Since</dt>
      <dd>{dateTime(startedAt)}</dd>
      <dt>Lasted</dt>
      <dd>
        {termination === null ? longDuration((now - startedAt) / 1000) : duration(termination.durationMs)}
      </dd>
      {termination === null && (
        <>
          <dt>Quiet for</dt>
          <dd>{longDuration(quietMs / 1000)}</dd>
        </>
      )}
    </dl>
  );
}

function engineOf({ engine, viaNetworkProxy }: ConnectionRecord): string {
  if (engine === 'nftables') return 'the kernel (nftables)';
  return viaNetworkProxy ? 'NetworkProxy' : 'SmartProxy, byte by byte';
}
