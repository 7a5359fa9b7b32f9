import { readFileSync } from "node:fs";
import { AigwError } from "@aigw/core";
import type { Finished, Processes } from "./processes.ts";

/** The commands as the e-mail prints them: the token first, then one call per service. */
export const commandsIn = (email: string): readonly string[] =>
  [...email.matchAll(/^ {3}curl (?:.*\\\n)*.*/gm)].map(([command]) => command.replace(/^ {3}/gm, ""));

/**
 * Does what a client does with a command of its e-mail: pastes it into a shell. On a machine without bash or curl the
 * same request is sent by Node.
 */
export type Paste = (command: string) => Promise<string>;

export const shell = async (processes: Processes): Promise<{ readonly name: string; readonly paste: Paste }> => {
  const probe = await processes
    .run("bash", ["-c", "command -v curl"])
    .catch((): Finished => ({ code: 1, stdout: "", stderr: "" }));
  if (probe.code !== 0) return { name: "fetch (there is no bash with curl on this machine)", paste: byFetch };
  const paste: Paste = async (command) => {
    const { code, stdout, stderr } = await processes.run("bash", ["-c", command.replace(/^curl /, "curl -sS ")]);
    if (code !== 0) throw new AigwError("failed", `The e-mail's command failed (curl exit ${code}): ${stderr.trim()}`);
    return stdout;
  };
  return { name: "bash and curl", paste };
};

/** Understands as much of curl as the e-mail uses. */
const byFetch: Paste = async (command) => {
  const url = /"(https?:[^"]+)"/.exec(command)?.[1] ?? "";
  const header = /-H "([^:"]+): ([^"]*)"/g;
  const headers = Object.fromEntries([...command.matchAll(header)].map(([, name, value]) => [name, value]));
  const file = /--data-binary "@([^"]+)"/.exec(command)?.[1];
  const form = / -d "([^"]*)"/.exec(command)?.[1];
  const body = file === undefined ? form : readFileSync(file);
  if (form !== undefined) headers["Content-Type"] = "application/x-www-form-urlencoded";
  const response = await fetch(url, { headers, ...(body === undefined ? {} : { method: "POST", body }) });
  return response.text();
};
