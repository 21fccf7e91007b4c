import { asksForRequests } from './connection-kind.ts';
import { impliedProtocol } from './implied-protocol.ts';
import type { Problem } from './problems.ts';
import type { ForwardAction, Route } from './schema.ts';

/** What in a route is about HTTP or TLS, and cannot be had by this route. */
export function checkHttp(route: Route, path: string): Problem[] {
  return [...checkAction(route, path), ...checkOffer(route, path)];
}

const httpProtocols: ReadonlySet<string> = new Set(['h2', 'http/1.1', 'http/1.0']);

/** Who agrees on another protocol by ALPN could not be understood. */
function checkOffer({ match, action }: Route, path: string): Problem[] {
  if (!('tls' in action) || action.tls === undefined) return [];
  if (action.type === 'forward' && action.tls.mode === 'passthrough') return [];
  if (action.type === 'handler' && !asksForRequests(match)) return [];
  const place = action.tls.alpn?.findIndex((protocol) => !httpProtocols.has(protocol)) ?? -1;
  if (place < 0) return [];
  const whole =
    action.type === 'handler' ? ', or leave path, methods and headers out to get whole connections' : '';
  return [
    {
      path: `${path}.action.tls.alpn[${place}]`,
      message: `'${action.tls.alpn?.[place]}' is no HTTP, and this route needs requests that SmartProxy can read`,
      instead: `write 'h2' or 'http/1.1'${whole}`,
    },
  ];
}

function checkAction(route: Route, path: string): Problem[] {
  const { action } = route;
  const { protocol } = impliedProtocol(route);
  if (action.type === 'forward') return checkForward(action, protocol === 'http', `${path}.action`);
  if ((action.type === 'redirect' || action.type === 'respond') && protocol === 'tcp') {
    return [
      {
        path: `${path}.match.protocol`,
        message: `'tcp' cannot be answered with a ${action.type}`,
        instead: "leave it out, or write 'http'",
      },
    ];
  }
  return [];
}

function checkForward(action: ForwardAction, clear: boolean, path: string): Problem[] {
  const mode = action.tls?.mode ?? 'passthrough';
  const readsHttp = clear || mode !== 'passthrough';
  const problems: Problem[] = [];
  if (!readsHttp && action.http !== undefined) problems.push(needsHttp(`${path}.http`));
  for (const { target, field } of writtenTargets(action)) {
    const place = `${path}.${field}`;
    if (!readsHttp && target.protocol !== undefined) problems.push(needsHttp(`${place}.protocol`));
    if (target.tls === undefined) continue;
    if (!readsHttp) problems.push(needsHttp(`${place}.tls`));
    else if (mode === 'terminate') {
      problems.push({
        path: `${place}.tls`,
        message: "contradicts tls mode 'terminate', which speaks clear text with targets",
        instead: "write mode: 'terminate-and-reencrypt'",
      });
    }
    problems.push(...halfCertificate(target.tls, `${place}.tls`));
  }
  return problems;
}

/** The targets with the fields that they were written in. */
export function writtenTargets(action: ForwardAction) {
  return [
    ...(action.target === undefined ? [] : [{ target: action.target, field: 'target' }]),
    ...(action.targets ?? []).map((target, index) => ({ target, field: `targets[${index}]` })),
  ];
}

function needsHttp(path: string): Problem {
  return {
    path,
    message: 'needs HTTP that SmartProxy can read: this route passes bytes on as they are',
    instead: "leave it out, or write tls: { mode: 'terminate' }, or protocol: 'http'",
  };
}

function halfCertificate(tls: { certFile?: unknown; keyFile?: unknown }, path: string): Problem[] {
  const [given, missing] = tls.certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
  if ((tls.certFile === undefined) === (tls.keyFile === undefined)) return [];
  return [{ path: `${path}.${missing}`, message: `is missing beside ${given}`, instead: 'write both' }];
}
