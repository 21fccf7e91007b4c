import { Command } from 'commander';
import { packageVersion } from '../base/package-version.ts';
import { type ExitCode, exitCodeOf, json, type Terminal, tellFailure } from './terminal.ts';

// A command loads what it needs when it runs: `status` should not wait for the proxy's own code.

/** Runs one command line, without `node` and the script. Never rejects. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = createProgram(terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    tellFailure(error, terminal);
    return exitCodeOf(error);
  }
}

function createProgram(terminal: Terminal, setCode: (code: ExitCode) => void): Command {
  const program = new Command('smartproxy')
    .description('An edge proxy that tells why each connection ended.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print how a command is used')
    .showHelpAfterError('(--help tells how it is used)')
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .exitOverride();
  addRunning(program);
  addConfiguration(program, terminal, setCode);
  addKernel(program, terminal);
  addControl(program, terminal);
  addCertificates(program, terminal);
  return program;
}

function addRunning(program: Command): void {
  const runs = program.command('run').description('run in the foreground, until a signal ends it');
  withConfiguration(runs)
    .option(
      '--from <url>',
      'listen here: https://app.localhost:8443, http://:8080, tls://a.test:8443 (passthrough by name) or tcp://:5432; may repeat',
      collect,
    )
    .option(
      '--to <url>',
      'forward there: http://127.0.0.1:3000, tcp://127.0.0.1:9443 or unix:/path; one for each --from',
      collect,
    )
    .option('--admin <where>', 'where the admin API listens: 127.0.0.1:9901 or unix:/path')
    .option('--no-admin', 'no admin API')
    .action(async (choice) => (await import('./run.ts')).run(asRunChoice(choice)));
  const inner = program
    .command('network-proxy')
    .description("end TLS and read requests for a SmartProxy in another process (bridge: 'loopback')");
  withConfiguration(inner).action(async (choice) =>
    (await import('./network-proxy.ts')).networkProxy(choice),
  );
  program
    .command('demo')
    .description('a complete example on free ports with built-in backends; prints what to try')
    .action(async () => (await import('./demo.ts')).demo());
}

/** Commander says `true` for a `--no-…` option that was not given. */
function asRunChoice<Choice extends { admin?: string | boolean }>(
  choice: Choice,
): Choice & { admin?: string | false } {
  const { admin, ...others } = choice;
  return { ...others, ...(admin !== true && admin !== undefined && { admin }) } as Choice & {
    admin?: string | false;
  };
}

function addConfiguration(program: Command, terminal: Terminal, setCode: (code: ExitCode) => void): void {
  const checks = program
    .command('check')
    .description('validate a configuration; print each problem and warning');
  withJson(withConfiguration(checks)).action(async (choice) => {
    const { check } = await import('./check.ts');
    setCode(await check(choice, terminal));
  });
  const explains = program
    .command('explain')
    .description('say which route wins, and for each other one why it does not')
    .argument('<target>', 'https://a.test/x, tls://a.test:443, tcp://:5432, or the id of a connection')
    .option('--client <ip>', 'who connects (default: 127.0.0.1)');
  withAdmin(withConfiguration(explains)).action(async (target, choice) => {
    const { explain } = await import('./explain.ts');
    await explain(target, choice, terminal);
  });
  program
    .command('schema')
    .description("print the configuration's JSON Schema")
    .option('--json', 'the same: it is JSON already')
    .action(async () => terminal.out(json((await import('../config/json-schema.ts')).jsonSchema())));
  const examines = program
    .command('doctor')
    .description('look for what is wrong with this machine, the configuration and the running instance')
    .option(
      '--bundle [file]',
      'write everything that helps somebody who helps into one file, secrets masked',
    );
  withAdmin(withConfiguration(examines)).action(async (choice) =>
    setCode(await (await import('./doctor/doctor.ts')).doctor(choice, terminal)),
  );
  const trusts = program
    .command('trust')
    .description('print how to trust the local certificate authority')
    .option('--state-directory <folder>', 'where the authority lives (default: as the configuration says)')
    .option('--install', 'make this Debian system trust it (as root)')
    .option('--remove', 'undo that (as root)');
  withJson(withConfiguration(trusts)).action(async (choice) =>
    (await import('./trust.ts')).trust(choice, terminal),
  );
}

function addKernel(program: Command, terminal: Terminal): void {
  const group = program
    .command('nftables')
    .description("forwarding in the kernel (engine: 'nftables'): print its rules, or remove them");
  withConfiguration(
    group.command('show').description('print the ruleset that the configuration compiles to'),
  ).action(async (choice) => (await import('./nftables.ts')).show(choice, terminal));
  group
    .command('clean')
    .description('remove every table that SmartProxy made, and the flows that it forwarded (as root)')
    .action(async () => (await import('./nftables.ts')).clean(terminal));
}

function addControl(program: Command, terminal: Terminal): void {
  const command = (usage: string, description: string): Command =>
    withAdmin(program.command(usage).description(description));
  const control = () => import('./admin-commands.ts');
  command('status', 'what a running instance has counted').action(async (choice) =>
    (await control()).status(choice, terminal),
  );
  command('connections [id]', 'the connections of a running instance, or everything about one')
    .option('--ended', 'the newest that have ended, instead of those that live (only --limit counts)')
    .option('--watch', 'the list again every second, until q or control-C')
    .option('--route <name>', 'only those of this route')
    .option('--state <state>', 'only those in this state')
    .option('--client <cidrs>', 'only those from these addresses: 10.0.0.0/8,::1')
    .option('--name <text>', 'only those whose server name has this in it')
    .option('--sort <by>', 'started, activity, received, sent or bytes; -bytes: the largest first')
    .option('--limit <count>', 'no more than this many')
    .action(async (id, choice) => (await control()).connections(id, choice, terminal));
  command('terminate <id>', 'end a connection').action(async (id, choice) =>
    (await control()).terminate(id, choice, terminal),
  );
  command('tail', 'endings of connections as they happen, one line each')
    .option('--lines <count>', 'how many of the newest come first (default: 10)')
    .option('--route <names>', 'only those of these routes: web,api (-: of none)')
    .option('--reason <reasons>', 'only those for these reasons: connect-refused,client-reset')
    .option('--initiator <who>', 'only those by client, target, proxy, operator or kernel')
    .option('--phase <phases>', 'only those in these phases: dialing,established')
    .option('--client <cidrs>', 'only those from these addresses: 10.0.0.0/8,::1')
    .action(async (choice) => (await import('./tail.ts')).tail(choice, terminal));
  const live = program.command('top').description('a running instance, live: rates, endings, connections');
  withPlace(live).action(async (choice) => (await import('./top/top.ts')).top(choice));
  command('reload', 'make a running instance read its configuration again').action(async (choice) =>
    (await control()).reload(choice, terminal),
  );
  command('drain', 'make a running instance end when its connections have').action(async (choice) =>
    (await control()).drain(choice, terminal),
  );
}

function addCertificates(program: Command, terminal: Terminal): void {
  const commands = () => import('./certificates.ts');
  const all = program
    .command('certificates')
    .description('the certificates of a running instance: where from, until when, and when they are renewed');
  withAdmin(all).action(async (choice) => (await commands()).certificates(choice, terminal));
  const renews = all
    .command('renew')
    .description('order a certificate anew now')
    .argument('<name>', 'a name that it is for');
  withAdmin(renews).action(async (name, _choice, command) =>
    (await commands()).renew(name, command.optsWithGlobals(), terminal),
  );
  const imports = all
    .command('import')
    .description('take over certificates that other programs ordered, such as those of Certbot')
    .argument('<folder>', 'PEM files: chains and their keys, at any depth')
    .option('--directory <folder>', 'where certificates are kept (default: as the configuration says)');
  withJson(withConfiguration(imports)).action(async (folder, _choice, command) =>
    (await commands()).importFolder(folder, command.optsWithGlobals(), terminal),
  );
}

function withConfiguration(command: Command): Command {
  return command.option('--config <file>', 'the configuration (default: smartproxy.config.* in this folder)');
}

function withPlace(command: Command): Command {
  const text =
    'the running instance: http://127.0.0.1:9901 or unix:/path (default: SMARTPROXY_ADMIN, else the default socket)';
  return command.option('--admin <url>', text);
}

function withAdmin(command: Command): Command {
  return withJson(withPlace(command));
}

function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
