import { onPty, type PtyStep } from "../../../../test/support/pty.ts";

/**
 * `on-terminal.ts <job>`: a program on a pseudo-terminal, for tests that wait for it without doing anything else. The job
 * and the answer are JSON. The program's environment is this one's.
 */
interface Job {
  readonly argv: readonly string[];
  readonly steps: readonly PtyStep[];
  readonly columns?: number;
  readonly rows?: number;
  readonly pipeStdout?: boolean;
}

const { argv, steps, columns = 80, rows = 40, pipeStdout = false } = JSON.parse(process.argv[2] ?? "") as Job;
const session = await onPty(argv, { columns, rows, pipeStdout, press: steps, env: process.env, timeoutMs: 30_000 });
const { output: screen, stdout, exitCode, sameModes, pressLeft: stepsLeft } = session;
process.stdout.write(JSON.stringify({ screen, stdout, exitCode, sameModes, stepsLeft }));
