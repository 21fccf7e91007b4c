/** Certificates for tests, made by OpenSSL. */
import { readFileSync } from 'node:fs';
import { programPath } from './debian.ts';
import type { Workspace } from './workspace.ts';

export interface TestCertificate {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

/** A certificate for one name (and others), signed by itself: who trusts it trusts that name only. */
export async function selfSigned(
  workspace: Workspace,
  name: string,
  others: readonly string[] = [],
): Promise<TestCertificate> {
  const [certFile, keyFile] = [workspace.path(`${name}.crt`), workspace.path(`${name}.key`)];
  await workspace.run(programPath('openssl'), [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...[
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=${[name, ...others].map((each) => `DNS:${each}`).join()}`,
    ],
    ...['-out', certFile, '-keyout', keyFile],
  ]);
  return {
    certFile,
    keyFile,
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
  };
}
