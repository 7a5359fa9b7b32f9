import { curlCallOf } from "./curl-call.ts";

/** The commands of a quick start as they stand in a text: whole, continuation lines included, without the indentation. */
export const commandsIn = (text: string): readonly string[] =>
  [...text.matchAll(/^([ \t]*)(curl (?:.*\\\n)*.*)/gm)].map(([, indentation = "", command = ""]) =>
    command.replaceAll(`\n${indentation}`, "\n"),
  );

export interface Steps {
  readonly token: string;
  readonly calls: readonly string[];
}

/**
 * Which of a text's commands get the token and which make a call. Commands that are more than a call of curl (an admin's
 * template may hold any) are not among them: they are never run.
 * @param base the gateway: no credentials go anywhere else
 * @returns undefined when there is not one of each
 */
export const stepsIn = (text: string, base: string): Steps | undefined => {
  const plain = commandsIn(text).filter((command) => curlCallOf(command)?.url.startsWith(`${base}/`));
  const token = plain.find((command) => /\/auth\/token\b/.test(command));
  const calls = plain.filter((command) => command !== token && command.includes(TOKEN_PLACE));
  return token === undefined || calls.length === 0 ? undefined : { token, calls };
};

/** What a client replaces with its token. */
export const TOKEN_PLACE = "YOUR_TOKEN";
