import { readFile } from 'node:fs/promises';
import { type Initiator, reasonInitiators, type TerminationReason } from '../base/termination.ts';

/** A reason as the documentation explains it. */
export interface ExplainedReason {
  readonly reason: TerminationReason;
  readonly initiator: Initiator;
  /** Plain sentences; empty where the documentation is not at hand. */
  readonly text: string;
  /** Commands and settings that the text names: where to look. */
  readonly look: readonly string[];
}

/** The package brings it. */
const documentation = new URL('../../docs/errors.md', import.meta.url);

/** Every reason, in the order of the documentation. A program that was bundled without it has no texts. */
export async function explainedReasons(): Promise<ExplainedReason[]> {
  return explainReasons(await readFile(documentation, 'utf8').catch(() => ''));
}

/** @param markdown a heading of the third level for each reason, with its explanation below */
function explainReasons(markdown: string): ExplainedReason[] {
  const paragraphs = new Map(
    [...markdown.matchAll(/^### (\S+)\n([^#]*)/gm)].map(([, name = '', text = '']) => [name, text] as const),
  );
  return (Object.entries(reasonInitiators) as [TerminationReason, Initiator][]).map(([reason, initiator]) => {
    const text = paragraphs.get(reason) ?? '';
    return { reason, initiator, text: plain(text), look: placesToLook(text) };
  });
}

function plain(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('`', '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** What is set as code and is a command, or is written as settings are: `connectMs`, `networkProxy.port`. */
function placesToLook(markdown: string): string[] {
  const codes = [...markdown.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  const named = codes.filter((code) => /^(?:smartproxy|ulimit) |^[a-z]+[A-Z]\w*$|^[a-z]\w*\.\w+$/.test(code));
  return [...new Set(named)];
}
