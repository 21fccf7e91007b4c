/** The public API of the package `smartproxy`: everything else is the implementation's own. */

export type { ErrorSource } from './base/errors.ts';
export { SmartProxyError } from './base/errors.ts';
export type { Logger } from './base/logger.ts';
export type {
  Cause,
  ConnectionState,
  Initiator,
  Termination,
  TerminationReason,
} from './base/termination.ts';
export type { CertificateFailed, CertificateIssued } from './certificates/acme/acme-services.ts';
export type { Problem } from './config/problems.ts';
export { ConfigurationError } from './config/problems.ts';
export type { RouteContext } from './config/resolved.ts';
export type {
  Action,
  BlockAction,
  ForwardAction,
  HandlerAction,
  Match,
  RedirectAction,
  RespondAction,
  Route,
  SmartProxyOptions,
  Target,
} from './config/schema.ts';
export { defineConfig } from './config/schema.ts';
export { ConnectionManager } from './connection/connection-manager.ts';
export type { ConnectionObserver } from './connection/connection-observer.ts';
export type {
  ConnectionRecord,
  ConnectionRecord as IConnectionRecord,
} from './connection/connection-record.ts';
export type { RecordSummary } from './connection/record-summary.ts';
export { TimeoutManager } from './connection/timeout-manager.ts';
export type { BridgeEnd, CleanupCallback } from './forwarding/network-proxy-bridge.ts';
export { NetworkProxyBridge } from './forwarding/network-proxy-bridge.ts';
export type { NetworkProxyStatistics } from './network-proxy/connection-tracking.ts';
export type { Explanation } from './routing/explain.ts';
export { SecurityManager } from './security/security-manager.ts';
export { explain } from './smart-proxy/explain.ts';
export type { ListeningAddress } from './smart-proxy/listening.ts';
export type { MetricsText } from './smart-proxy/measurement.ts';
export { NetworkProxy } from './smart-proxy/network-proxy.ts';
export type { SmartProxyEvents } from './smart-proxy/proxy-events.ts';
export type { SmartProxySurroundings } from './smart-proxy/proxy-server.ts';
export { SmartProxy } from './smart-proxy/smart-proxy.ts';
export type { Statistics } from './smart-proxy/statistics.ts';
