import { type Credentials, type TakenBack, takeBackCredentials } from "@aigw/core/acts";
import { isAigwError } from "@aigw/core/errors";
import type { Home } from "../app/home.ts";
import { listed } from "../terminal/output/words.ts";
import { takeOut, type Waiting } from "./outbox.ts";

/**
 * Undoes what was issued and cannot be handed out, with the messages that wait.
 * @returns what is true by now, in sentences
 */
export const takeBack = async (
  home: Home,
  issued: readonly Credentials[],
  waiting: readonly Waiting[],
): Promise<string> => {
  try {
    const { result } = await takeBackCredentials(home, issued);
    for (const message of waiting) takeOut(message);
    return inWords(result);
  } catch (error) {
    if (!isAigwError(error)) throw error;
    const names = issued.map(({ client }) => client.name);
    const mend =
      waiting.length > 0 ? "its e-mail waits: aigw onboard unsent list" : "aigw onboard <name> makes another";
    return `The new password of ${listed(names)} could not be taken back: ${error.message} It stands; ${mend}`;
  }
};

const inWords = ({ restored, removed, leftAlone }: TakenBack): string =>
  [
    restored.length === 0 ? "" : `the old password of ${listed(restored)} works again, old tokens do not`,
    removed.length === 0 ? "" : `${listed(removed)} ${removed.length === 1 ? "was" : "were"} removed again`,
    leftAlone.length === 0 ? "" : `${listed(leftAlone)} was changed by somebody else meanwhile`,
  ]
    .filter((part) => part !== "")
    .join("; ");
