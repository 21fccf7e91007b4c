import type { HeaderEdits } from '../../config/resolved.ts';
import type { AddedFields, Field, HeadChanges } from '../exchange.ts';

const nothingAdded: AddedFields = Object.freeze({ fields: Object.freeze([]), lines: Buffer.alloc(0) });
const nothingDropped: readonly number[] = Object.freeze([]);
/** A head that goes on as it is. */
export const noChanges: HeadChanges = Object.freeze({ dropped: nothingDropped, added: nothingAdded });

/** Fields in both of the forms that the protocols write. */
export function addedFields(fields: readonly Field[]): AddedFields {
  const text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return { fields, lines: Buffer.from(text, 'latin1') };
}

/** A route's edits on top of the fields that we add ourselves: remove, then set, then add. */
export function applyEdits(own: readonly Field[], edits: HeaderEdits): Field[] {
  const gone = new Set([...edits.remove, ...edits.set.map(({ name }) => name)]);
  const fields = own.filter(([name]) => !gone.has(name.toLowerCase()));
  for (const { name, values } of [...edits.set, ...edits.add]) {
    for (const value of values) fields.push([name, value]);
  }
  return fields;
}

/** Names whose fields edits leave out of what the sender wrote. */
export function editedNames(edits: HeaderEdits): string[] {
  return [...edits.remove, ...edits.set.map(({ name }) => name)];
}

export function hasEdits({ remove, set, add }: HeaderEdits): boolean {
  return remove.length + set.length + add.length > 0;
}

/** Places of the fields that `drops` says of, by name in lower case. */
export function placesOf(
  head: { eachField(visit: (name: string, value: string) => void): void },
  drops: (name: string) => boolean,
): readonly number[] {
  let places: number[] | null = null;
  let place = 0;
  head.eachField((name) => {
    if (drops(name.toLowerCase())) {
      places ??= [];
      places.push(place);
    }
    place++;
  });
  return places ?? nothingDropped;
}
