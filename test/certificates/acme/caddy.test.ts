import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hasPrograms } from '../../support/debian.ts';
import { hasNetworkOfItsOwn, runInNetworkOfItsOwn } from '../../support/network-of-its-own.ts';
import { Workspace } from '../../support/workspace.ts';

test('Caddy’s authority issues by TLS-ALPN-01 on 443 and by HTTP-01 on 80, and curl verifies both', async (t) => {
  if (!hasPrograms(t, 'caddy', 'curl', 'unshare', 'ip', 'mount') || !hasNetworkOfItsOwn(t)) return;
  const workspace = Workspace.of(t, 'caddy');
  const names = ['ca.example', 'a.example', 'b.example'];
  const output = await runInNetworkOfItsOwn(
    workspace,
    names,
    fileURLToPath(new URL('./caddy-inside.ts', import.meta.url)),
  );
  assert.deepEqual(JSON.parse(output.trim().split('\n').at(-1) ?? ''), {
    'tls-alpn-01': 'a.example says hello',
    'http-01': 'b.example says hello',
    opened: 'false',
  });
});
