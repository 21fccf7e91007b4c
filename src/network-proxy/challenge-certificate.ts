import tls from 'node:tls';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { type Answer, challengeProtocol } from '../certificates/acme/challenges/challenge-answers.ts';
import type { Certificate } from '../certificates/certificate.ts';
import type { ContextAnswer } from '../certificates/certificate-source.ts';
import type { ResolvedTls } from '../config/resolved.ts';
import type { HandshakeCertificates } from './tls-handshake.ts';

/** How a handshake is done in which an authority asks for the proof of a name (RFC 8737 §3). */
export const challengeTls: ResolvedTls = Object.freeze<ResolvedTls>({
  certificate: { from: 'auto' },
  clientAuth: null,
  alpn: [challengeProtocol],
  minVersion: 'TLSv1.2',
});

/** One certificate, for one handshake, which gives a name. */
export class ChallengeCertificate implements HandshakeCertificates {
  readonly #certificate: Answer<Certificate>;

  constructor(certificate: Answer<Certificate>) {
    this.#certificate = certificate;
  }

  contextFor(): ContextAnswer | Promise<ContextAnswer> {
    if (this.#certificate instanceof Promise) return this.#certificate.then(contextOf);
    return contextOf(this.#certificate);
  }

  certificateFor(): SmartProxyError {
    return notPending();
  }

  authoritiesFor(): null {
    return null;
  }
}

function contextOf(certificate: Certificate | null): ContextAnswer {
  if (certificate === null) return notPending();
  const { cert, key } = certificate;
  try {
    return tls.createSecureContext({ cert, key });
  } catch (error) {
    return new SmartProxyError('certificate-unusable', errorMessage(error), {
      source: 'proxy',
      cause: error,
    });
  }
}

function notPending(): SmartProxyError {
  return new SmartProxyError('certificate-unavailable', 'no order of ours waits for this proof', {
    source: 'client',
  });
}
