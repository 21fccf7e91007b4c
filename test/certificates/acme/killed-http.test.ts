import { test } from 'node:test';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { Workspace } from '../../support/workspace.ts';
import { dieOften } from './deaths.ts';

const before = holdings();

test('25 of 50 deaths at random moments, with http-01: nothing is half-written, lost, or ordered twice', (t) =>
  dieOften(Workspace.of(t, 'killed'), 'http-01', 1));

test('when all is over nothing is left', () => holdsNoMoreThan(before));
