import { runCommand } from './program.ts';
import { processTerminal } from './terminal.ts';

// A reader that leaves early (`smartproxy connections | head`) is no failure.
process.stdout.on('error', () => {});

void runCommand(process.argv.slice(2), processTerminal).then((code) => {
  // Whatever a configuration's own program left behind, such as a timer, must not keep a command that is done.
  process.stdout.write('', () => process.exit(code));
});
