import type { FrameWriter } from './frame-writer.ts';
import { firstWindowBytes, mostWindowBytes } from './frames.ts';

/** One who has something to send that waits. */
export interface Sender {
  /** Sends one piece: `more` follows, or nothing can be sent now. */
  sendPiece(): 'more' | 'wants-window' | 'done';
}

/** What all streams of a session may send together (RFC 9113 §5.2), and whose turn it is. */
export class SendFlow {
  readonly frames: FrameWriter;
  /** Of the connection. */
  window = firstWindowBytes;
  /** That streams begin with. */
  initialWindow = firstWindowBytes;
  #waiting = new Set<Sender>();

  constructor(frames: FrameWriter) {
    this.frames = frames;
  }

  wait(sender: Sender): void {
    this.#waiting.add(sender);
  }

  leave(sender: Sender): void {
    this.#waiting.delete(sender);
  }

  /** False: the window would be larger than any may be. */
  opened(bytes: number): boolean {
    this.window += bytes;
    if (this.window > mostWindowBytes) return false;
    this.pump();
    return true;
  }

  /** The connection takes more. */
  drained(): void {
    this.frames.full = false;
    this.pump();
  }

  /** A piece of each in turn, for as long as anything goes. */
  pump(): void {
    const starved: Sender[] = [];
    for (const sender of this.#waiting) {
      if (this.frames.full) break;
      this.#waiting.delete(sender);
      const outcome = sender.sendPiece();
      if (outcome === 'more') this.#waiting.add(sender);
      else if (outcome === 'wants-window') starved.push(sender);
    }
    for (const sender of starved) this.#waiting.add(sender);
  }
}
