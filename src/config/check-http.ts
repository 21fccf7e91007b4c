import { impliedProtocol } from './implied-protocol.ts';
import type { Problem } from './problems.ts';
import type { ForwardAction, Route } from './schema.ts';

/** What in a route is about HTTP or TLS, and cannot be had by this route. */
export function checkHttp(route: Route, path: string): Problem[] {
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
