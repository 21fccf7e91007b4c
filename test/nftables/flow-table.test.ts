import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Flow } from '../../src/nftables/flow.ts';
import { type FlowLine, parseFlowLine } from '../../src/nftables/flow-line.ts';
import type { FlowEnding } from '../../src/nftables/flow-observer.ts';
import { FlowTable } from '../../src/nftables/flow-table.ts';
import {
  closing,
  closingBits,
  formatMark,
  livingFilter,
  overBit,
  overFilter,
  routeMark,
} from '../../src/nftables/marks.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const owner = 0x41;
const living = routeMark(owner, 7);
const over = (living | overBit | closingBits(closing.targetFirst)) >>> 0;

function line(text: string): FlowLine {
  const parsed = parseFlowLine(text);
  assert.ok(parsed, text);
  return parsed;
}

function stage() {
  const clock = new VirtualClock();
  const told: string[] = [];
  const name = ({ id, exact }: Flow) => `${id}${exact ? '' : ' inexact'}`;
  const table = new FlowTable({
    clock,
    owner,
    observer: {
      opened: (flow) => told.push(`opened ${name(flow)}`),
      established: (flow) => told.push(`established ${name(flow)}`),
      moved: (flow) => told.push(`moved ${name(flow)}`),
      ended: (flow, { reason }: FlowEnding) => told.push(`${reason} ${name(flow)}`),
      corrected: (flow) => told.push(`corrected ${name(flow)}`),
    },
    cut: () => {},
  });
  table.beginListing();
  table.endListing();
  const addresses = 'src=10.0.0.2 dst=10.0.0.1 sport=4000 dport=80';
  const reply = 'src=10.0.1.2 dst=10.0.1.1 sport=80 dport=4000';
  const counted = `${addresses} packets=5 bytes=300 ${reply} packets=4 bytes=400 [ASSURED]`;
  const at = (agoMs = 0) => `[${((clock.wallTime() - agoMs) / 1000).toFixed(6)}]`;
  return {
    clock,
    table,
    told,
    begins: (id: number) =>
      table.tell(
        line(
          `${at()}\t    [NEW] tcp      6 120 SYN_SENT ${addresses} [UNREPLIED] ${reply} mark=${living} id=${id}`,
        ),
      ),
    closes: (id: number, agoMs = 0) =>
      table.tell(
        line(
          `${at(agoMs)}\t [UPDATE] tcp      6 120 TIME_WAIT ${addresses} ${reply} [ASSURED] mark=${over} id=${id}`,
        ),
      ),
    isForgotten: (id: number, mark = over) =>
      table.tell(line(`${at()}\t[DESTROY] tcp      6 114 ${counted} mark=${mark} delta-time=6 id=${id}`)),
    isListed: (id: number, state = 'TIME_WAIT', mark = over) =>
      table.list(line(`tcp      6 100 ${state} ${counted} mark=${mark} use=1 id=${id}`)),
  };
}

test('a flow that began a moment ago, by a clock a little ahead, is no age old', () => {
  const aged = (seconds: string) =>
    line(
      'tcp      6 577 ESTABLISHED src=10.72.0.2 dst=10.71.0.1 sport=34020 dport=5201 packets=0 bytes=0 ' +
        'src=10.71.1.2 dst=10.72.0.2 sport=5201 dport=34020 packets=0 bytes=0 [ASSURED] ' +
        `mark=2030043137 delta-time=${seconds} use=1 id=1757045941`,
    ).ageSeconds;
  assert.equal(aged('23'), 23);
  // What conntrack prints for one second and for an hour less than none.
  assert.equal(aged('18446744073709551615'), 0);
  assert.equal(aged('18446744073709548016'), 0);
});

test('of a flow that the kernel told nothing of, its last event tells everything', () => {
  const { table, told, isForgotten } = stage();
  isForgotten(1);
  assert.deepEqual(told, ['opened 1', 'established 1', 'kernel-closed 1']);
  assert.deepEqual([table.open, table.live, table.size, table.unsettled], [0, 0, 0, 0]);
  // A RST after the handshake is not one that a closed port sends.
  isForgotten(2, (living | overBit | closingBits(closing.clientReset)) >>> 0);
  assert.deepEqual(told.slice(3), ['opened 2', 'established 2', 'kernel-reset 2']);
});

test('a listing may know the successor before the event of the end is read', () => {
  const { clock, table, told, begins, isForgotten, isListed } = stage();
  begins(1);
  clock.advance(1_000);
  table.beginListing();
  isListed(2, 'ESTABLISHED', living);
  assert.equal(table.overdue, 1);
  isForgotten(1);
  table.endListing();
  assert.deepEqual(told, [
    'opened 1',
    'opened 2',
    'established 2',
    'moved 2',
    'established 1',
    'kernel-closed 1',
  ]);
  assert.deepEqual([table.overdue, table.live, table.inexact], [0, 1, 0]);
});

test('late events of a flow do not take the place of its successor', () => {
  const { clock, table, told, closes, isForgotten, isListed } = stage();
  clock.advance(1_000);
  table.beginListing();
  isListed(2, 'ESTABLISHED', living);
  table.endListing();
  told.length = 0;
  closes(1, 500);
  isForgotten(1);
  assert.deepEqual(told, ['opened 1', 'established 1', 'kernel-closed 1']);
  assert.equal(table.live, 1);
  closes(2);
  assert.equal(told.at(-1), 'kernel-closed 2');
  assert.deepEqual([table.inexact, table.overdue], [0, 0]);
});

test('a flow whose successor is known and whose end is never told ends inexact, once', () => {
  const { clock, table, told, begins, isForgotten, isListed } = stage();
  begins(1);
  clock.advance(10);
  begins(2);
  assert.equal(table.overdue, 1);
  for (let listing = 0; listing < 2; listing++) {
    table.beginListing();
    isListed(2, 'ESTABLISHED', living);
    table.endListing();
  }
  assert.deepEqual(
    told.filter((text) => /kernel-/.test(text)),
    ['kernel-expired 1 inexact'],
  );
  assert.deepEqual([table.overdue, table.live, table.inexact], [0, 1, 1]);
  isForgotten(1);
  assert.deepEqual(told.filter((text) => / 1/.test(text)).length, 3, 'opened, ended and corrected');
});

test('listings of what lives leave alone what is over, and say when they miss something', () => {
  const { table, told, begins, closes, isListed } = stage();
  begins(1);
  closes(1);
  table.beginListing();
  assert.equal(table.endListingOfLiving(), false);
  begins(2);
  const list = (): boolean => {
    table.beginListing();
    return table.endListingOfLiving();
  };
  assert.equal(list(), false, 'it may have begun after the listing');
  assert.equal(list(), true, 'only a listing of all can tell');
  table.beginListing();
  isListed(2, 'ESTABLISHED', living);
  assert.equal(table.endListingOfLiving(), false);
  assert.ok(!told.some((text) => /inexact|expired/.test(text)));
});

test('the filters of the two listings share nothing, and leave out nothing', () => {
  const fits = (mark: number, filter: string): boolean => {
    const [value = '', mask = ''] = filter.split('/');
    return (mark & Number(mask)) >>> 0 === Number(value);
  };
  for (const mark of [living, over]) {
    assert.notEqual(fits(mark, livingFilter(owner)), fits(mark, overFilter(owner)), formatMark(mark));
  }
});
