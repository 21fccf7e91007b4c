import { runCommand } from './program.ts';
import { processTerminal } from './terminal.ts';

// A reader that leaves early (`smartproxy connections | head`) is no failure.
process.stdout.on('error', () => {});

const longRunning = new Set(['run', 'demo']);
const args = process.argv.slice(2);

void runCommand(args, processTerminal).then((code) => {
  process.exitCode = code;
  // Whatever a configuration's own program left behind must not keep a proxy that has ended.
  if (longRunning.has(args[0] ?? '')) process.exit();
});
