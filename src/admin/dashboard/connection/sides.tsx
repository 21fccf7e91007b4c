import type { ConnectionRecord } from '../admin-api/answers.ts';
import type { BothWays, ShownConnection } from '../live/shown-connection.ts';
import { byteRate, bytes } from '../words/amounts.ts';
import { endpoint } from '../words/endpoints.ts';

export interface SidesProps {
  readonly record: ConnectionRecord;
  /** Undefined once it has ended. */
  readonly live: ShownConnection | undefined;
  readonly tick: number;
}

/** Client, proxy and target, with the bytes between them as they move. */
export function Sides({ record, live, tick }: SidesProps) {
  const total = live?.bytes ?? record.bytes;
  const rate = live?.rate(tick) ?? { fromClient: 0, toClient: 0 };
  const { target } = record;
  return (
    <section class="sides card" aria-label="Both sides">
      <Side name="Client" where={endpoint(record.client.ip, record.client.port)} ended={record.clientEnded} />
      <Ways total={total} rate={rate} />
      <Side name="Proxy" where={`port ${record.localPort}`} ended={false} note={record.route ?? 'no route'} />
      <span class={target === null ? 'link link-missing' : 'link'} aria-hidden="true" />
      <Side
        name="Target"
        where={
          target === null
            ? record.viaNetworkProxy
              ? 'one for each request'
              : '–'
            : endpoint(target.host, target.port)
        }
        ended={record.targetEnded}
      />
    </section>
  );
}

interface SideProps {
  readonly name: string;
  readonly where: string;
  readonly ended: boolean;
  readonly note?: string;
}

function Side({ name, where, ended, note }: SideProps) {
  return (
    <div class="side">
      <span class="side-name">{name}</span>
      <strong class="side-where">{where}</strong>
      <span class="side-note">{ended ? 'has sent FIN' : (note ?? '')}</span>
    </div>
  );
}

function Ways({ total, rate }: { total: BothWays; rate: BothWays }) {
  return (
    <div class="ways">
      <Way direction="right" label="from the client" total={total.fromClient} rate={rate.fromClient} />
      <Way direction="left" label="to the client" total={total.toClient} rate={rate.toClient} />
    </div>
  );
}

interface WayProps {
  readonly direction: 'left' | 'right';
  readonly label: string;
  readonly total: number;
  readonly rate: number;
}

function Way({ direction, label, total, rate }: WayProps) {
  return (
    <div class={rate > 0 ? `way way-${direction} way-moving` : `way way-${direction}`}>
      <span class="hidden">{label}: </span>
      <strong>{bytes(total)}</strong>
      <span class="way-rate">{rate > 0 && byteRate(rate)}</span>
    </div>
  );
}
