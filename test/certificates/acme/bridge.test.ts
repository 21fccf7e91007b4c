import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TwoProcesses } from '../../network-proxy/bridge/two-processes.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { scoped } from '../../support/scoped.ts';
import { acmeStage, ordering, shown, site } from './stage.ts';

const before = holdings();

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  test(`over the loopback the process with the keys orders, and answers ${challenge} through the one in front`, async (t) => {
    const { workspace, authority } = await acmeStage(t);
    const routes = [site('a.example', authority.tlsPort)];
    const certificates = { acme: ordering(authority, { challenge }) };
    const stateDirectory = workspace.path('state');
    const both = scoped(t, await TwoProcesses.start(workspace, routes, { certificates, stateDirectory }));
    const issued: unknown[] = [];
    both.inner.on('certificate-issued', ({ names }) => issued.push(names));
    await eventually('the certificate comes', () => authority.certificates.length === 1 && issued.length > 0);
    assert.match(await shown(authority.tlsPort, 'a.example'), /^Authority /);
    const { control } = both.outer.proxy;
    assert.deepEqual(control.certificates(), []);
    await assert.rejects(control.renewCertificate('a.example'), { code: 'certificates-elsewhere' });
  });
}

test('when all is over nothing is left', () => holdsNoMoreThan(before));
