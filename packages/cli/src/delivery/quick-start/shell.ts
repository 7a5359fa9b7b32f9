import { type Environment, hasBashAndCurl, pasteIntoBash } from "./bash.ts";
import { sendByNode } from "./by-node.ts";
import type { Reply } from "./reply.ts";

/** Does what a client does with a command of its e-mail: pastes it into a shell. */
export interface Shell {
  readonly name: string;
  /** @param field a header field more, `Name: value` without a quote or backslash in it */
  paste(command: string, field?: string): Promise<Reply>;
}

/**
 * On a machine without bash or curl the same requests are sent by Node.
 * @param stop breaks off what runs
 */
export const findShell = async (env: Environment, stop?: AbortSignal): Promise<Shell> =>
  (await hasBashAndCurl(env))
    ? { name: "bash and curl", paste: (command, field) => pasteIntoBash(command, env, { stop, field }) }
    : {
        name: "Node (there is no bash with curl on this machine)",
        paste: (command, field) => sendByNode(command, { stop, field }),
      };
