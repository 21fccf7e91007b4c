/**
 * Bytes from a stranger as text that is safe to log and still tells them apart: visible ASCII
 * stands for itself, everything else and `%` become `%XX`, as RFC 7639 §2.2 writes ALPN names.
 */
export function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
