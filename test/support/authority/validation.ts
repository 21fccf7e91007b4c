/** How an authority looks for a proof: it really comes. */
import { createHash, X509Certificate } from 'node:crypto';
import http from 'node:http';
import tls from 'node:tls';
import { X509Certificate as Parsed } from '../../../src/certificates/x509.ts';

export interface Look {
  readonly type: string;
  readonly name: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

/** Null: the proof is there; else what was found. Every name is 127.0.0.1. */
export async function look(wanted: Look, ports: { http: number; tls: number }): Promise<string | null> {
  try {
    return wanted.type === 'http-01'
      ? await lookByHttp(wanted, ports.http)
      : await lookByTls(wanted, ports.tls);
  } catch (error) {
    return String(error);
  }
}

async function lookByHttp({ name, token, keyAuthorization }: Look, port: number): Promise<string | null> {
  const path = `/.well-known/acme-challenge/${token}`;
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const request = http.get({ host: '127.0.0.1', port, path, headers: { host: name }, agent: false });
  request.on('error', reject);
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.on('end', () =>
      resolve(text === keyAuthorization ? null : `HTTP ${response.statusCode}: ${text}`),
    );
  });
  return promise;
}

/** RFC 8737 §3: the certificate is for the name alone, and has the digest in a critical extension. */
async function lookByTls({ name, keyAuthorization }: Look, port: number): Promise<string | null> {
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const options = { servername: name, ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false };
  const socket = tls.connect({ host: '127.0.0.1', port, ...options });
  socket.on('error', reject);
  socket.on('secureConnect', () => {
    const { raw } = socket.getPeerCertificate();
    const extension = new Parsed(raw).getExtension('1.3.6.1.5.5.7.1.31');
    const digest = createHash('sha256').update(keyAuthorization).digest('hex');
    const isRight =
      socket.alpnProtocol === 'acme-tls/1' &&
      new X509Certificate(raw).subjectAltName === `DNS:${name}` &&
      extension?.critical === true &&
      Buffer.from(extension.value).toString('hex') === `0420${digest}`;
    resolve(isRight ? null : 'the certificate proves nothing');
    socket.destroy();
  });
  return promise;
}
