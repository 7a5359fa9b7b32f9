import { tmpdir } from "node:os";
import { Readable, Writable } from "node:stream";
import { run } from "@aigw/cli";

export interface DoctorAnswer {
  readonly exitCode: number;
  readonly ok: boolean;
  readonly findings: readonly {
    readonly level: "ok" | "warn" | "fail";
    readonly code: string;
    readonly about: string;
    readonly message: string;
    readonly fix: string | null;
  }[];
  readonly ms: number;
  readonly codes: readonly string[];
  /** The finding of this code; throws when there is none. */
  find(code: string): DoctorAnswer["findings"][number];
}

/** `aigw doctor --json` in this process, against a real home. */
export const doctor = async (
  home: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<DoctorAnswer> => {
  const text = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof text): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        text[name] += chunk.toString();
        done();
      },
    });
  const started = performance.now();
  const exitCode = await run(["doctor", "--json", ...args], {
    stdin: Readable.from([]),
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    env: { AIGW_HOME: home, ...env },
    cwd: tmpdir(),
    prompter: { input: noAnswer, password: noAnswer, confirm: noAnswer, pick: noAnswer, pickSeveral: noAnswer },
    onStop: () => () => undefined,
  });
  return parsed(exitCode, text.stdout, text.stderr, performance.now() - started);
};

export const parsed = (exitCode: number | null, stdout: string, stderr: string, ms: number): DoctorAnswer => {
  if (stdout === "") throw new Error(`doctor said nothing; on stderr: ${stderr}`);
  const { ok, findings } = JSON.parse(stdout) as Pick<DoctorAnswer, "ok" | "findings">;
  const find = (code: string): DoctorAnswer["findings"][number] => {
    const found = findings.find((finding) => finding.code === code);
    if (found === undefined) throw new Error(`no ${code} in ${JSON.stringify(findings, undefined, 1)}`);
    return found;
  };
  return { exitCode: exitCode ?? -1, ok, findings, ms, codes: findings.map(({ code }) => code), find };
};

const noAnswer = (): Promise<never> => Promise.reject(new Error("doctor asked something"));
