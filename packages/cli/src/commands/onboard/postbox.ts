import { join } from "node:path";
import { isAigwError } from "@aigw/core/errors";
import type { Home } from "../../home.ts";
import { makePrivateFolder, reserveMessageFile } from "../../mail/message-file.ts";
import { deliverMessage, INTERRUPTED } from "../../mail/nodemailer.ts";
import type { SmtpServer } from "../../mail/smtp-server.ts";
import { rfc3339 } from "../../output/time.ts";

/** What became of a message that was to be sent. */
export interface Posted {
  readonly to: string;
  /** What the server answered, or why it did not take the message. */
  readonly answer: string;
  readonly sent: boolean;
  /** Where the message is kept, when it was not sent; undefined when it could not be kept either. */
  readonly keptAt: string | undefined;
  /** True when sending the next one would meet the same. */
  readonly everyMessage: boolean;
}

/** Sends a message. One that is not taken is kept on disk: it holds a password that stands nowhere else. */
export const post = async (
  home: Pick<Home, "path">,
  server: SmtpServer,
  message: {
    readonly bytes: Buffer;
    readonly from: string;
    readonly to: string;
    readonly name: string;
    readonly at: number;
  },
  /** Where it is on disk already. */
  file: string | undefined,
  stop: AbortSignal,
): Promise<Posted> => {
  const { bytes, from, to } = message;
  const delivery = stop.aborted ? INTERRUPTED : await deliverMessage(bytes, { from, to }, server, stop);
  if (delivery.kind === "sent") return { to, answer: delivery.answer, sent: true, keptAt: file, everyMessage: false };
  const keptAt = file ?? keep(home, message);
  return { to, answer: delivery.why, sent: false, keptAt, everyMessage: delivery.everyMessage };
};

/** @returns its path, or undefined when the disk does not take it */
export const keep = (
  home: Pick<Home, "path">,
  { name, at, bytes }: { readonly name: string; readonly at: number; readonly bytes: Buffer },
): string | undefined => {
  const folder = join(home.path, "unsent");
  const stamp = rfc3339(at).replace(/[-:.]/g, "");
  try {
    makePrivateFolder(folder);
    const file = reserveMessageFile(join(folder, `${name}-${stamp}.eml`), false);
    file.write(bytes);
    return file.path;
  } catch (error) {
    if (isAigwError(error)) return undefined;
    throw error;
  }
};
