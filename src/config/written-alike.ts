/** A copy that nobody else can change; undefined for what is not alike to itself, such as an instance of a class. */
export function copyOfPlain(value: unknown): unknown {
  const copy = copied(value);
  return isAlike(value, copy) ? copy : undefined;
}

function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, copied);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]));
}

/**
 * Whether two values are written alike: the same keys in the same order, which may matter (of a header that is
 * written twice, in different cases, one counts), and values that are alike. Only plain objects and lists are: what
 * another one inherits or hides may change unseen.
 */
export function isAlike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!(isPlainObject(one) && isPlainObject(other)) && !(isPlainArray(one) && isPlainArray(other)))
    return false;
  const keys = Reflect.ownKeys(one);
  const others = Reflect.ownKeys(other);
  return (
    keys.length === others.length &&
    keys.every((key, i) => key === others[i] && isAlike(Reflect.get(one, key), Reflect.get(other, key)))
  );
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isPlainArray(value: unknown): value is unknown[] {
  return Array.isArray(value) && Object.getPrototypeOf(value) === Array.prototype;
}
