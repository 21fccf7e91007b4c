import type { WorldKind } from '../runner.ts';
import { makePlan, type TcpPlan } from './plan.ts';
import { TcpWorld } from './world.ts';

/** Bytes that are passed on: TCP, TLS by name, and the outer side of the loopback bridge. */
export const tcpKind: WorldKind<TcpPlan> = {
  name: 'tcp',
  makePlan,
  build: (plan, options) => new TcpWorld(plan, options),
};
