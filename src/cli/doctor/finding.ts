/** `note`: worth knowing; `warning`: will be trouble, or costs speed; `problem`: does not work. */
export type Level = 'ok' | 'note' | 'warning' | 'problem';

/** What a check of the machine, the configuration or the running instance has found. */
export interface Finding {
  /** What was looked at: `descriptors`. */
  readonly check: string;
  readonly level: Level;
  /** What is so, in one sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message };
}

export function note(check: string, message: string, advice?: string): Finding {
  return advice === undefined ? { check, level: 'note', message } : { check, level: 'note', message, advice };
}

export function warning(check: string, message: string, advice: string): Finding {
  return { check, level: 'warning', message, advice };
}

export function problem(check: string, message: string, advice: string): Finding {
  return { check, level: 'problem', message, advice };
}
