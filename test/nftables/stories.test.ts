import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smartproxy } from '../support/command-line.ts';
import { backends, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

/** What `smartproxy explain ID` prints, on one line. */
async function told(stage: KernelStage, id = ''): Promise<string> {
  const args = ['explain', id, '--admin', stage.admin.place];
  const { code, out, err } = await smartproxy(stage.workspace, args);
  assert.equal(code, 0, err);
  return out.replaceAll(/\s+/g, ' ');
}

test('explain tells the true story of flows that the kernel forwarded', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [backend] = stage.backends;
  const [echo, resetting] = [
    await backend.do.listen('::', 0, 'echo'),
    await backend.do.listen('::', 0, 'reset'),
  ];
  const target = (port: number) => ({ host: backends[0], port });
  await stage.start([
    kernelRoute('echo', 7001, target(echo)),
    kernelRoute('resetting', 7002, target(resetting)),
    kernelRoute('dead', 7003, target(1)),
    kernelRoute('impatient', 7004, target(echo), { timeouts: { inactivityMs: 1_000 } }),
  ]);
  const open = async (port: number): Promise<number> => {
    const [opened] = await stage.client.do.open(proxyAddress, port, 1);
    return opened?.id ?? -1;
  };
  const expected: [string, () => Promise<unknown>, RegExp][] = [
    [
      'kernel-closed',
      async () => {
        const id = await open(7001);
        await stage.client.do.send(id, 'hello');
        await stage.client.do.receives(id, 5);
        await stage.client.do.end(id);
      },
      /The route echo took it\. The kernel forwards it to 10\.71\.1\.2:\d+\. .*The client sent its FIN first, and both sides closed\./,
    ],
    [
      'kernel-reset',
      async () => {
        const id = await open(7001);
        await stage.live(1);
        await stage.client.do.reset(id);
      },
      /The client reset it after/,
    ],
    [
      'kernel-reset',
      async () => {
        const id = await open(7002);
        await stage.client.do.send(id, 'x');
        await stage.client.do.ended(id);
      },
      /The target 10\.71\.1\.2:\d+ reset it after/,
    ],
    [
      'kernel-reset',
      () => stage.client.do.open(proxyAddress, 7003, 1),
      /The target 10\.71\.1\.2:1 refused the connection\./,
    ],
    ['kernel-expired', () => open(7004), /The kernel heard nothing of it for so long that it forgot it\./],
  ];
  for (const [index, [reason, kill, says]] of expected.entries()) {
    await kill();
    const ending = (await stage.endings(index + 1)).at(-1);
    assert.equal(ending?.termination?.reason, reason);
    assert.equal(ending?.termination?.initiator, 'kernel');
    assert.match(await told(stage, ending?.id), says);
  }
  await stage.nothingLeft();
  await stage.stop();
});
