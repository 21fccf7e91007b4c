/** Where events go. Implementations never block the event loop and never throw. */
export interface Logger {
  /** `event` is a stable kebab-case name (`connection-closed`); `fields` are plain JSON values. */
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
}

/** Drops everything: the default of the library, where the embedding program has its own log. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
