import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

type Colour = readonly [red: number, green: number, blue: number];

const tokens = readFileSync('src/admin/dashboard/style/tokens.css', 'utf8');
const themes = ['light', 'dark'] as const;

/** A custom property that has a colour for each theme. */
function colour(name: string, theme: (typeof themes)[number]): Colour {
  const [, light, dark] = new RegExp(`${name}: light-dark\\((#\\w+), (#\\w+)\\)`).exec(tokens) ?? [];
  const hex = (theme === 'light' ? light : dark)?.slice(1) ?? assert.fail(`no ${name}`);
  const long = hex.length === 3 ? hex.replaceAll(/./g, '$&$&') : hex;
  return [0, 2, 4].map((at) =>
    linear(Number.parseInt(long.slice(at, at + 2), 16) / 255),
  ) as unknown as Colour;
}

/** IEC 61966-2-1. */
function linear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function times(matrix: readonly Colour[], [red, green, blue]: Colour): Colour {
  return matrix.map(([r, g, b]) => r * red + g * green + b * blue) as unknown as Colour;
}

/** Machado, Oliveira and Fernandes (2009): how colours look to people without one kind of cone, in linear light. */
const eyes: Readonly<Record<string, readonly Colour[]>> = {
  'all cones': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Ottosson's Oklab: distances in it are about as large as they look. */
function oklab(linearRgb: Colour): Colour {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    linearRgb,
  ).map((value) => Math.cbrt(Math.max(0, value))) as unknown as Colour;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

function distance(one: Colour, other: Colour): number {
  return Math.hypot(...one.map((value, index) => value - (other[index] ?? 0)));
}

/** WCAG 2.2 §1.4.3. */
function contrast(one: Colour, other: Colour): number {
  const luminance = ([red, green, blue]: Colour): number => 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

describe('the colours of the dashboard', () => {
  for (const theme of themes) {
    it(`tell every two series apart, for every kind of eyes (${theme})`, () => {
      const series = ['1', '2', '3', '4', '5', '6', '7', 'other'].map((name) => `--series-${name}`);
      for (const [kind, matrix] of Object.entries(eyes)) {
        for (const [index, name] of series.entries()) {
          for (const other of series.slice(index + 1)) {
            const apart = distance(
              oklab(times(matrix, colour(name, theme))),
              oklab(times(matrix, colour(other, theme))),
            );
            assert.ok(apart >= 0.06, `${kind}: ${name} and ${other} are ${apart.toFixed(3)} apart`);
          }
        }
      }
    });

    it(`can be read: texts on what they stand on (${theme})`, () => {
      const pairs: [string, string][] = [
        ...['--text', '--text-soft', '--text-faint', '--accent', '--good', '--warning', '--bad'].flatMap(
          (text) =>
            ['--surface', '--page', '--surface-sunk'].map((ground): [string, string] => [text, ground]),
        ),
        ...['accent', 'good', 'warning', 'bad'].map((tone): [string, string] => [
          `--${tone}`,
          `--${tone}-soft`,
        ]),
        ['--surface', '--accent'],
        ['--surface', '--bad'],
      ];
      for (const [text, ground] of pairs) {
        const ratio = contrast(colour(text, theme), colour(ground, theme));
        assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    });
  }
});
