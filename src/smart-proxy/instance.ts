import { packageVersion } from '../base/package-version.ts';

/** The process that runs: what somebody who looks from outside cannot know. */
export interface Instance {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly pid: number;
  /** ISO 8601, UTC; null before the start. */
  readonly startedAt: string | null;
  /** Resident memory. */
  readonly memoryBytes: number;
}

/** @param startedAt milliseconds since the epoch */
export function describeInstance(startedAt: number | null): Instance {
  return {
    version: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    pid: process.pid,
    startedAt: startedAt === null ? null : new Date(startedAt).toISOString(),
    memoryBytes: process.memoryUsage.rss(),
  };
}
