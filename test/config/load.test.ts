// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what users write in their files
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findConfiguration, loadConfiguration } from '../../src/config/load.ts';
import { ConfigurationError } from '../../src/config/problems.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smartproxy-load-'));
});
after(async () => {
  await rm(folder, { recursive: true });
  await assert.rejects(readdir(folder));
});

async function load(name: string, text: string, variables: Record<string, string> = {}): Promise<unknown> {
  const file = join(folder, name);
  await writeFile(file, text);
  return (await loadConfiguration(file, variables)).input;
}

async function messageOf(
  name: string,
  text: string,
  variables: Record<string, string> = {},
): Promise<string> {
  try {
    await load(name, text, variables);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    assert.equal(error.file, join(folder, name));
    return error.message.replaceAll(`${folder}/`, '');
  }
  throw new assert.AssertionError({ message: 'it was read' });
}

test('the first of the known names in a folder is found', async () => {
  const empty = await mkdtemp(join(folder, 'find-'));
  assert.equal(findConfiguration(empty), undefined);
  await writeFile(join(empty, 'smartproxy.config.yml'), '');
  assert.equal(findConfiguration(empty), join(empty, 'smartproxy.config.yml'));
  await writeFile(join(empty, 'smartproxy.config.ts'), '');
  assert.equal(findConfiguration(empty), join(empty, 'smartproxy.config.ts'));
});

test('YAML and JSON say the same', async () => {
  const expected = { routes: [{ name: 'a', match: { ports: [1, { from: 2, to: 3 }] } }] };
  assert.deepEqual(
    await load('a.yaml', 'routes:\n  - name: a\n    match: { ports: [1, { from: 2, to: 3 }] }\n'),
    expected,
  );
  assert.deepEqual(await load('a.yml', JSON.stringify(expected)), expected);
  assert.deepEqual(await load('a.json', `\uFEFF${JSON.stringify(expected)}`), expected);
});

test('variables are replaced in strings, and $${ stands for itself', async () => {
  const text = JSON.stringify({
    $schema: 'x',
    stateDirectory: '/a/${ONE}/${TWO}-$${ONE}$',
    routes: ['${EMPTY}', '$'],
  });
  assert.deepEqual(await load('b.json', text, { ONE: '1', TWO: '${ONE}', EMPTY: '' }), {
    $schema: 'x',
    stateDirectory: '/a/1/${ONE}-${ONE}$',
    routes: ['', '$'],
  });
});

test('a variable alone becomes a number where only a number is allowed', async () => {
  const text =
    'routes: [{ name: "${N}", match: { ports: ["${N}"] }, action: { type: block } }]\nadmin: { listen: "x", token: "${N}" }';
  assert.deepEqual(await load('c.yaml', text, { N: '8443' }), {
    routes: [{ name: '8443', match: { ports: [8443] }, action: { type: 'block' } }],
    admin: { listen: 'x', token: '8443' },
  });
});

test('every variable that is not set, or is none, is told with its path', async () => {
  const message = await messageOf('d.yaml', 'admin: { token: "${NONE}" }\nroutes: ["${", "${a b}"]', {});
  assert.equal(
    message,
    [
      'd.yaml: admin.token: the environment variable NONE is not set (set NONE)',
      'd.yaml: routes[0]: "${" is no name of a variable (write ${NAME}, or $${ for the text itself)',
      'd.yaml: routes[1]: "${a b}" is no name of a variable (write ${NAME}, or $${ for the text itself)',
    ].join('\n'),
  );
});

test('syntax errors are told with line and column', async () => {
  assert.match(await messageOf('e.json', '{\n  "a": 1,,\n}'), /^e\.json: 2:10: is not valid JSON: /);
  assert.match(await messageOf('e.json', '{\n  "a": ['), /^e\.json: 2:9: is not valid JSON: /);
  assert.match(await messageOf('e.yaml', 'a: 1\nb: [1, 2\nc: 3\n'), /^e\.yaml: 3:1: is not valid YAML: /);
  assert.match(
    await messageOf('e.yaml', 'a: 1\na: 2\n'),
    /^e\.yaml: 2:1: is not valid YAML: Map keys must be unique/,
  );
  assert.match(await messageOf('e.yaml', `${bomb()}\n`), /is not valid YAML: .*alias/);
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  return lines.join('\n');
}

test('an empty file is no configuration, and not a crash', async () => {
  assert.equal(await load('f.yaml', ''), null);
  assert.match(await messageOf('f.json', ''), /^f\.json: 1:1: is not valid JSON/);
});

test('a file that is not there, or of an unknown kind, is told so', async () => {
  await assert.rejects(loadConfiguration(join(folder, 'none.yaml')), /none\.yaml: there is no such file/);
  assert.match(
    await messageOf('g.toml', ''),
    /'\.toml' is no kind of file that SmartProxy knows \(write \.ts/,
  );
  await assert.rejects(loadConfiguration(`${folder}/.`), ConfigurationError);
});

test('programs export an object, a function, or a promise of one', async () => {
  assert.deepEqual(await load('h.mts', 'const routes: unknown[] = [];\nexport default { routes };'), {
    routes: [],
  });
  assert.deepEqual(await load('h.mjs', 'export default () => ({ routes: [1] });'), { routes: [1] });
  assert.deepEqual(await load('i.mjs', 'export default async () => ({ routes: [2] });'), { routes: [2] });
});

test('a program that changed is run again, one that did not is the same', async () => {
  const first = await load('j.mjs', 'export default { routes: [1] };');
  assert.deepEqual(await load('j.mjs', 'export default { routes: [2] };'), { routes: [2] });
  assert.equal(await load('j.mjs', 'export default { routes: [1] };'), first);
});

test('a program that fails, or exports nothing, is told so', async () => {
  assert.match(
    await messageOf('k.mjs', 'throw new Error("no luck");'),
    /^k\.mjs: failed while it ran: no luck \(look at line 1\)/,
  );
  assert.match(
    await messageOf('l.mjs', 'export default () => { throw new Error("late"); };'),
    /failed while it ran: late/,
  );
  assert.match(
    await messageOf('m.mjs', 'export const routes = [];'),
    /has no default export \(write export default/,
  );
  assert.match(
    await messageOf('n.mjs', 'export default {'),
    /^n\.mjs: failed while it ran: .*\(node --check .*n\.mjs may show where\)/,
  );
  assert.match(
    await messageOf('o.ts', 'export default {\n  routes: [ }'),
    /^o\.ts: failed while it ran: .*\(look at line 2\)/,
  );
});
