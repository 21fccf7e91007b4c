import { normalizePath } from './request-path.ts';
import type { HeaderEdit, HeaderEdits, ResolvedHttp, ResolvedTarget, ResolvedTargetTls } from './resolved.ts';
import type { ForwardAction, Target, HeaderEdits as WrittenEdits } from './schema.ts';

const none = Object.freeze([]);
const noEdits: HeaderEdits = Object.freeze({ remove: none, set: none, add: none });

/** Shared by all routes that change nothing: there may be 100,000 of them. */
const unchanged: ResolvedHttp = Object.freeze({
  headers: Object.freeze({ request: noEdits, response: noEdits }),
  hostHeader: 'preserve',
  stripPrefix: null,
});

/** An action's `http` with every default filled in. */
export function resolveHttp(http: ForwardAction['http']): ResolvedHttp {
  if (http === undefined) return unchanged;
  return {
    headers: { request: resolveEdits(http.headers?.request), response: resolveEdits(http.headers?.response) },
    hostHeader: resolveHostHeader(http.hostHeader),
    stripPrefix: resolvePrefix(http.stripPrefix),
  };
}

function resolveHostHeader(written: string | undefined): ResolvedHttp['hostHeader'] {
  if (written === undefined || written === 'preserve' || written === 'target') return written ?? 'preserve';
  return { literal: written.toLowerCase() };
}

function resolvePrefix(written: string | undefined): string | null {
  return normalizePath(written ?? '/')?.replace(/\/$/, '') || null;
}

function resolveEdits(edits: WrittenEdits | undefined): HeaderEdits {
  if (edits === undefined) return noEdits;
  return {
    remove: [...new Set(edits.remove?.map((name) => name.toLowerCase()))].sort(),
    set: resolveValues(edits.set),
    add: resolveValues(edits.add),
  };
}

/** By name, so that the order in which they were written makes no difference; one name in two cases is one. */
function resolveValues(table: WrittenEdits['set']): HeaderEdit[] {
  const byName = new Map<string, string[]>();
  for (const [written, values] of Object.entries(table ?? {})) {
    const name = written.toLowerCase();
    byName.set(name, [...(byName.get(name) ?? []), ...(typeof values === 'string' ? [values] : values)]);
  }
  return [...byName]
    .map(([name, values]) => ({ name, values }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** What is spoken with a target. `encrypts`: TLS is spoken with it even if nothing is said about how. */
export function resolveTargetProtocol(
  target: Target,
  encrypts: boolean,
): Pick<ResolvedTarget, 'protocol' | 'tls'> {
  const tls = encrypts || target.tls !== undefined ? resolveTargetTls(target.tls) : null;
  return { protocol: target.protocol ?? 'auto', tls };
}

function resolveTargetTls(tls: Target['tls']): ResolvedTargetTls {
  return {
    ca: tls?.ca ?? null,
    certFile: tls?.certFile ?? null,
    keyFile: tls?.keyFile ?? null,
    serverName: tls?.serverName?.toLowerCase() ?? null,
    verify: tls?.verify ?? true,
  };
}
