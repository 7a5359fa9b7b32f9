import { AigwError } from "@aigw/core/errors";
import { UsageError } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import type { InputStream } from "./io.ts";

const MAX_BYTES = 8 * 1024;

/**
 * The password for `--password-stdin`: one line of stdin, or an unechoed prompt where stdin is a terminal.
 * @param option for errors, where the secret is another's
 */
export const readPassword = async (
  ctx: Context,
  option = "--password-stdin",
  question = "Password",
): Promise<string> => {
  const password = ctx.interactive ? await ctx.prompter.password(question) : await readLine(ctx.io.stdin, option);
  if (password !== "") return password;
  throw new UsageError(`${option}: there is no password on standard input. Pipe one line into the command.`);
};

/** Up to the first line break or the end. Whoever holds the pipe open after it is not waited for. */
const readLine = async (stdin: InputStream, option: string): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    const end = bytes.indexOf(0x0a);
    const kept = end === -1 ? bytes : bytes.subarray(0, end);
    chunks.push(kept);
    size += kept.length;
    if (size > MAX_BYTES) throw new AigwError("invalid_value", `${option}: the line is too long for a password.`);
    if (end !== -1) break;
  }
  return decode(Buffer.concat(chunks), option).replace(/\r$/, "");
};

/** Without the byte-order mark that some editors and shells put before a text: nobody can type it at a login. */
const decode = (bytes: Uint8Array, option: string): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const what = utf16 ? "is UTF-16, as PowerShell writes it" : "is not valid UTF-8";
    throw new AigwError("invalid_value", `${option}: the password ${what}. Save it as UTF-8.`, { cause });
  }
};
