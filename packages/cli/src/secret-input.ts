import { AigwError } from "@aigw/core";
import { UsageError } from "./cli-error.ts";
import type { Context } from "./context.ts";
import type { InputStream } from "./io.ts";

const MAX_BYTES = 8 * 1024;

/** The password for `--password-stdin`: one line of stdin, or an unechoed prompt where stdin is a terminal. */
export const readPassword = async (ctx: Context): Promise<string> => {
  if (ctx.interactive) return nonEmpty(await ctx.prompter.password("Password"));
  return nonEmpty(await readLine(ctx.io.stdin));
};

const nonEmpty = (password: string): string => {
  if (password !== "") return password;
  throw new UsageError("--password-stdin: there is no password on standard input. Pipe one line into the command.");
};

/** Up to the first line break or the end. Whoever holds the pipe open after it is not waited for. */
const readLine = async (stdin: InputStream): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    const end = bytes.indexOf(0x0a);
    const kept = end === -1 ? bytes : bytes.subarray(0, end);
    chunks.push(kept);
    size += kept.length;
    if (size > MAX_BYTES)
      throw new AigwError("invalid_value", "--password-stdin: the line is too long for a password.");
    if (end !== -1) break;
  }
  return decode(Buffer.concat(chunks)).replace(/\r$/, "");
};

const decode = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AigwError("invalid_value", "--password-stdin: the password is not valid UTF-8.", { cause });
  }
};
