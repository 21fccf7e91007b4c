import { checkDirection } from '../direction.ts';
import { joinBytes } from '../first-bytes.ts';
import { checkEnd, checkPeer, checkProcess, checkStory, describeStory } from '../invariants.ts';
import { checkAnswers } from './answer-invariants.ts';
import { type Conversation, conversationsOf } from './conversation.ts';
import { checkEntries } from './log-invariants.ts';
import { implausible } from './plausible.ts';
import type { SiteWorld } from './site-world.ts';
import { checkRepetition, checkReuse, checkUploads } from './upload-invariants.ts';

type Say = (problem: string) => void;

/** What must hold when every proxy was stopped and everything had time to settle. */
export function checkAtTheEnd(world: SiteWorld): void {
  const say: Say = (problem) => void world.problems.push(problem);
  for (const process of world.processes) if (!process.killed) checkProcess(process, say);
  if (world.network.dialing > 0) say(`${world.network.dialing} dials are left`);
  for (const [end, peer] of world.network.peers) {
    const tell: Say = (problem) => say(`${peer.name}: ${problem}`);
    checkEnd(end, tell);
    checkPeer(peer, tell);
    if (end.peakPendingBytes > pendingBound(world)) tell(`had ${end.peakPendingBytes} bytes pending`);
  }
  for (const process of world.processes) {
    for (const story of process.witness.stories.values()) {
      if (process.killed && story.ended === 0) continue;
      for (const problem of checkStory(story))
        say(
          `${story.record.id}: ${problem} (${describeStory(story, world.network.peers.get(story.client))})`,
        );
    }
  }
  checkRequests(world, say);
}

/**
 * What may ever wait for a peer that does not read: one read beyond the mark at which writers wait,
 * with heads and pages of our own; towards a backend also what was read ahead of a body.
 */
function pendingBound({ plan }: SiteWorld): number {
  const { readBytes, highWaterBytes } = plan.network;
  const heads = 1_500;
  return highWaterBytes + 2 * Math.min(readBytes, 14_000) + plan.limits.headerBytes + heads;
}

function checkRequests(world: SiteWorld, say: Say): void {
  const { journal } = world;
  for (const conversation of conversationsOf(world)) {
    const { peer, reading, plan } = conversation;
    const tell: Say = (problem) =>
      say(`${peer.name} (${reading?.record.termination?.reason ?? 'not read'}): ${problem}`);
    checkAnswers(conversation, journal, tell);
    checkUploads(conversation, journal, tell);
    for (const request of plan.script.requests)
      checkRepetition(request, journal, (problem) => tell(`${request.token} ${problem}`));
    checkEntries(world, conversation, tell);
    checkTunnel(conversation, world, tell);
    checkCounts(conversation, tell);
    const odd = implausible(world, conversation);
    if (odd !== null) tell(odd);
  }
  for (const arrival of journal.arrivals)
    checkReuse(arrival, (problem) => say(`${arrival.token} ${problem}`));
  for (const { name, problems } of journal.backends)
    for (const problem of problems) say(`${name}: ${problem}`);
}

/** Bytes through a tunnel are those of any joined pair. */
function checkTunnel({ peer, plan, reading }: Conversation, { journal }: SiteWorld, say: Say): void {
  const index = peer.answers.findIndex(({ framing }) => framing === 'tunnel');
  const request = plan.script.requests[index];
  const answer = peer.answers[index];
  const backend = request && journal.arrivalsOf(request.token).at(-1)?.backend;
  if (answer === undefined || backend?.tunnel == null) return;
  const asked = joinBytes(
    plan.script.requests.slice(0, index + 1).flatMap(({ head, content }) => [head, content]),
  );
  const client = {
    skipped: plan.script.proxyHeaderBytes + asked.length,
    added: answer.startAt + answer.headBytes,
  };
  const reason = reading?.record.termination?.reason;
  const graceful = reason === 'client-closed' || reason === 'target-closed';
  const { received, sent } = backend.tunnel;
  const up = checkDirection({ from: peer, to: backend, skipped: client.skipped, added: received }, graceful);
  const down = checkDirection({ from: backend, to: peer, skipped: sent, added: client.added }, graceful);
  if (up !== null) say(`tunnel to the backend: ${up}`);
  if (down !== null) say(`tunnel to the client: ${down}`);
}

/** `bytes` of the record, against what the client's own socket moved (M1). */
function checkCounts({ story, peer, plan }: Conversation, say: Say): void {
  if (story === undefined) return;
  const { record } = story;
  if (record.bytesFromClient > peer.sent.length - record.proxyHeaderBytes) say('read more than was sent');
  if (peer.received.length > record.bytesToClient) say('the client got more than was counted');
  if (peer.sawFin && peer.received.length !== record.bytesToClient) say('FIN, but not all that was counted');
  const header = record.proxyHeaderBytes;
  if (header !== 0 && header !== plan.script.proxyHeaderBytes) say(`a PROXY header of ${header} bytes`);
}
