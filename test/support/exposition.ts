/** Prometheus's text format, as far as tests read it. */
import assert from 'node:assert/strict';

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Every line of an exposition. Fails at one that is neither a comment nor a sample. */
export function parseExposition(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    assert.ok(name !== undefined && value !== undefined, `no sample: ${line}`);
    return [{ name, labels: parseLabels(labels), value: value === '+Inf' ? Infinity : Number(value) }];
  });
}

function parseLabels(text: string): Record<string, string> {
  const labels = [...text.matchAll(/([a-z_]+)="((?:\\.|[^"\\])*)"/g)];
  return Object.fromEntries(labels.map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, '$1')]));
}

/** The sum of the samples of a metric that have these labels, whatever others they have. */
export function sumOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return parseExposition(text)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
