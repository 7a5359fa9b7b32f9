import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { NEEDS, reportNeed } from "./needs.ts";

/** A Python that has the packages of test/interop/requirements.txt. */
export interface Python {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * `python3` of the PATH with the folder that `AIGW_TEST_PYTHON` names, where `.ci/run` has put the packages. Nothing is
 * ever installed from here.
 * @returns or why there is none
 */
const findPython = (): Python | string => {
  const folder = process.env["AIGW_TEST_PYTHON"];
  if (folder === undefined || folder === "") {
    return "AIGW_TEST_PYTHON does not name a folder with the packages of test/interop/requirements.txt (.ci/run does)";
  }
  if (!existsSync(folder)) return `AIGW_TEST_PYTHON names ${folder}, which is not there`;
  const env = { ...process.env, PYTHONPATH: folder, PYTHONNOUSERSITE: "1", PYTHONDONTWRITEBYTECODE: "1" };
  const { error, status } = spawnSync("python3", ["-c", ""], { env });
  if (error || status !== 0) return "there is no python3 in the PATH";
  return { command: "python3", env };
};

const found = findPython();

/** For tests that cannot do without: `test(…, { skip: pythonMissing }, …)`. */
export const pythonMissing: string | false = typeof found === "string" && found;
if (pythonMissing) reportNeed(NEEDS.python, pythonMissing);

/** To be called at the end of a test file, or of each test, that ran with Python. */
export const pythonRan = (): void => reportNeed(NEEDS.python, undefined);

/** @throws Error where {@link pythonMissing} says why */
const python = (): Python => {
  if (typeof found === "string") throw new Error(found);
  return found;
};

/**
 * Runs a script to its end.
 * @param timeoutMs it is killed after that
 * @returns its standard output
 * @throws Error with its standard error when it fails
 */
export const runPython = async (args: readonly string[], timeoutMs = 60_000): Promise<string> => {
  const { command, env } = python();
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  const [out, err] = await Promise.all([textOf(child, "stdout"), textOf(child, "stderr"), once(child, "close")]);
  if (child.exitCode === 0) return out;
  throw new Error(`${args[0]} ended with ${child.exitCode ?? child.signalCode}:\n${err}${out}`);
};

/** Starts a script that goes on, a server say. Its standard error is the test's; whoever starts it kills it. */
export const startPython = (
  args: readonly string[],
  { detached = false }: { readonly detached?: boolean } = {},
): ChildProcess => {
  const { command, env } = python();
  return spawn(command, args, { env, detached, stdio: ["ignore", "pipe", "inherit"] });
};

const textOf = async (child: ChildProcess, name: "stdout" | "stderr"): Promise<string> => {
  let text = "";
  for await (const chunk of child[name]?.setEncoding("utf8") ?? []) text += chunk;
  return text;
};
