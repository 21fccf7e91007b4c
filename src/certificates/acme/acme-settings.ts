import { createHash } from 'node:crypto';
import type { AcmeOptions, DnsHook, ResolvedCertificates } from '../../config/resolved.ts';
import { readPemFile } from '../pem.ts';
import type { Ask } from './on-demand/ask.ts';
import type { KeyType } from './protocol/certificate-request.ts';

/** How certificates are ordered, with every default filled in. */
export interface AcmeSettings {
  /** At least one, in the order in which they are tried. */
  readonly directories: readonly string[];
  readonly contact: readonly string[];
  readonly binding: { readonly keyId: string; readonly hmacKey: string } | null;
  readonly dns: { readonly command: string } | DnsHook | null;
  readonly dnsServers: readonly string[] | null;
  /** Who says which names may be ordered when a client asks for them; null: none are. */
  readonly ask: Ask | null;
  /** PEM of what is trusted beside the roots that Node knows; null: nothing. */
  readonly root: string | null;
  readonly profile: string | null;
  readonly keyType: KeyType;
  readonly httpPort: number;
  readonly renewBeforeMs: number | null;
  /** Differs where attempts that failed may now succeed. */
  readonly fingerprint: string;
}

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';
const dayMs = 86_400_000;

/** Rejects with `certificate-unreadable` where the file of the root cannot be read. */
export async function acmeSettings({
  acme,
  renewBeforeDays,
}: Pick<ResolvedCertificates, 'acme' | 'renewBeforeDays'>): Promise<AcmeSettings> {
  const options: AcmeOptions = acme ?? {};
  const { email, eab, dns, rootFile } = options;
  const settings = {
    directories: options.directories ?? [letsEncrypt],
    contact: email === undefined ? [] : [`mailto:${email}`],
    binding: eab ?? null,
    dns: dns ?? null,
    dnsServers: options.dnsServers ?? null,
    ask: options.ask ?? null,
    root: rootFile === undefined ? null : await readPemFile(rootFile),
    profile: options.profile ?? null,
    keyType: options.keyType ?? 'p256',
    httpPort: options.httpPort ?? 80,
    renewBeforeMs: renewBeforeDays === null ? null : renewBeforeDays * dayMs,
  } as const;
  const { directories, contact, dns: hook, dnsServers, root, profile, httpPort } = settings;
  const command = hook !== null && 'command' in hook ? hook.command : null;
  const told = [
    directories,
    contact,
    eab?.keyId,
    options.challenge,
    command,
    dnsServers,
    root,
    profile,
    httpPort,
  ];
  const fingerprint = createHash('sha256').update(JSON.stringify(told)).digest('base64url').slice(0, 16);
  return { ...settings, fingerprint };
}
