import { spawn } from "node:child_process";
import { VALUE_OPTIONS } from "./curl-call.ts";
import { ANSWER_MS, CONNECT_MS, MAX_BODY_BYTES, type Reply } from "./reply.ts";

/**
 * The command is run as it stands. Its `curl` is a function that hands the arguments, as bash has made them, to the real
 * one on its standard input: in the process list, which every user of the machine can read, there is no password.
 * The admin's own .curlrc stays out (-q).
 * @param field see `Shell.paste`
 */
const prelude = (field: string | undefined): string => `curl() {
  local arg option= config=${field === undefined ? "" : `$'header = "${field}"\\n'`}
  for arg in "$@"; do
    arg=\${arg//\\\\/\\\\\\\\}; arg=\${arg//\\"/\\\\\\"}; arg=\${arg//$'\\n'/\\\\n}
    if [ -n "$option" ]; then config+="$option \\"$arg\\""$'\\n'; option=
    else case $arg in
      ${VALUE_OPTIONS.join("|")}) option=$arg ;;
      -*) config+="$arg"$'\\n' ;;
      *) config+="url \\"$arg\\""$'\\n' ;;
    esac; fi
  done
  printf '%s' "$config" | command curl -q -sS -i --connect-timeout ${CONNECT_MS / 1000} --max-time ${ANSWER_MS / 1000} -K -
}
`;

/** Beyond curl's own bounds, for a bash that does not end. */
const RUN_MS = ANSWER_MS + 5_000;
const HEAD_BYTES = 65_536;

export type Environment = Readonly<Record<string, string | undefined>>;

export const hasBashAndCurl = async (env: Environment): Promise<boolean> => {
  const { code } = await run("command -v curl", env);
  return code === 0;
};

/** What a command is run with beside itself. */
export interface Pasting {
  readonly stop?: AbortSignal | undefined;
  readonly field?: string | undefined;
}

export const pasteIntoBash = async (
  command: string,
  env: Environment,
  { stop, field }: Pasting = {},
): Promise<Reply> => {
  const { code, stdout, stderr } = await run(`${prelude(field)}${command}\n`, env, stop);
  const answer = answerIn(stdout);
  // A body that goes on for ever ends in a timeout, and that of a HEAD in too few bytes: the answer has come all the same.
  if (answer !== undefined && (code === 0 || code === TIMED_OUT || code === undefined)) return answer;
  const reason = /curl: \(\d+\) (.*)/.exec(stderr)?.[1] ?? (code === undefined ? "it did not end" : `exit ${code}`);
  return { kind: code !== undefined && NOBODY_THERE.has(code) ? "silent" : "broken", reason };
};

const TIMED_OUT = 28;
/** curl's exit codes: proxy or host not resolved, no connection, no connection in time. */
const NOBODY_THERE = new Set([5, 6, 7, TIMED_OUT]);

/** Splits what `curl -i` prints; interim answers come before the final one. */
const answerIn = (stdout: Buffer): Reply | undefined => {
  let rest = stdout;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const head = rest.subarray(0, end === -1 ? 0 : end).toString("latin1");
    const status = Number(/^HTTP\/[\d.]+ (\d{3})/.exec(head)?.[1] ?? Number.NaN);
    if (!Number.isInteger(status)) return undefined;
    rest = rest.subarray(end + 4);
    if (status >= 200) {
      const headers = head.split("\r\n").slice(1).map(headerIn);
      return { kind: "answer", status, headers: new Map(headers), body: rest.subarray(0, MAX_BODY_BYTES).toString() };
    }
  }
};

const headerIn = (line: string): readonly [string, string] => {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
};

interface Ran {
  /** Undefined: it was ended by us. */
  readonly code: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const run = (script: string, env: Environment, stop?: AbortSignal): Promise<Ran> =>
  new Promise((settle) => {
    // A group of its own, so that curl goes with its shell.
    const child = spawn("bash", ["--noprofile", "--norc", "-s"], { env: childEnv(env), detached: true, stdio: "pipe" });
    const stdout: Buffer[] = [];
    let size = 0;
    let stderr = "";
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended by itself at this very moment.
      }
    };
    const timer = setTimeout(end, RUN_MS);
    stop?.addEventListener("abort", end);
    if (stop?.aborted === true) end();
    child.stdout.on("data", (chunk: Buffer) => {
      stdout.push(chunk);
      size += chunk.length;
      if (size > HEAD_BYTES + MAX_BODY_BYTES) end();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.on("error", () => child.stdin.destroy());
    child.on("error", () => settle({ code: 127, stdout: Buffer.alloc(0), stderr: "" }));
    child.on("close", (code) => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", end);
      settle({ code: code ?? undefined, stdout: Buffer.concat(stdout), stderr });
    });
    child.stdin.end(script);
  });

/** No secret of the admin's environment, no proxy, and nothing that bash would load. */
const childEnv = (env: Environment): NodeJS.ProcessEnv =>
  Object.fromEntries(
    ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"].map(
      (name) => [name, env[name]],
    ),
  );
