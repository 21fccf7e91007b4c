/** Bounds of one head. Nothing is kept beyond them. */
export interface HeadLimits {
  /** Of the whole head with its start line and the empty line at its end. */
  readonly headerBytes: number;
  /** Of the request target. Default 16,384. */
  readonly targetBytes?: number;
  /** How many fields. Default 256. */
  readonly fields?: number;
}

export const defaultTargetBytes = 16_384;
export const defaultFields = 256;
