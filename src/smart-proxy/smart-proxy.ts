import type { SmartProxyOptions } from '../config/schema.ts';
import { socketPlan } from './listening.ts';
import { type ProxyRole, ProxyServer, type SmartProxySurroundings } from './proxy-server.ts';

const role: ProxyRole = {
  problems: () => [],
  sockets: (_options, index) => socketPlan(index),
  usesKernel: true,
  admin: ({ admin }) => admin,
  alone: async () => undefined,
  reread: (read) => read,
};

/**
 * The proxy. Construction validates (throws ConfigurationError with every problem); `start` binds
 * every listener or none. Several can live in one process.
 */
export class SmartProxy extends ProxyServer {
  constructor(options: SmartProxyOptions, surroundings: SmartProxySurroundings = {}) {
    super(role, options, surroundings);
  }
}
