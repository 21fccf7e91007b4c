/** Files that are there whole or not at all, also after a crash. */
import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is being written has this in its name, and is nothing to anybody. */
export const draftMark = '.draft-';

/** Writes a new file and waits for the disk. Rejects where there is one of that name. */
export async function writeDurably(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** After it, what was renamed or made in the folder is there to stay. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts a file in the place of another, or of none: whoever reads sees the one or the other. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}${draftMark}${randomUUID()}`;
  try {
    await writeDurably(draft, text, mode);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(file));
}
