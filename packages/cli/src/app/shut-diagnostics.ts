/**
 * Shuts what Node has for looking into a process. Each process that opens a home calls this first.
 *
 * The inspector: whoever reaches its port, and that is every user of the machine, runs code in here, beside the master
 * key. It is open when NODE_OPTIONS or a flag had it so, or when a SIGUSR1 came before anybody listened for it.
 * Diagnostic reports, which anybody may read, repeat the environment, and so AIGW_MASTER_KEY.
 */
export const shutDiagnostics = (): void => {
  process.report.excludeEnv = true;
  // A Node may be built without it.
  const inspector = process.getBuiltinModule("node:inspector");
  const url = inspector?.url();
  if (url === undefined) return;
  inspector.close();
  const message = `Node's inspector was open (${new URL(url).host}) and is closed now: through it every user of this machine could read the master key. Take --inspect out of NODE_OPTIONS, or out of the command that starts aigw.`;
  const isJson = process.argv.includes("--json");
  process.stderr.write(isJson ? `${JSON.stringify({ warning: { message } })}\n` : `warning: ${message}\n`);
};
