import type { Client, EffectiveSetting, Service, SettingKey } from "@aigw/core";
import { type Credentials, issueCredentials } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import { onboardingFacts, type Roster } from "@aigw/core/onboarding";
import { readPlans, termsAmong } from "@aigw/core/plans";
import { Interrupted } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import type { Home } from "../app/home.ts";
import type { Recipient } from "./batch.ts";
import type { Letter } from "./letter.ts";
import { composeMessage } from "./mail/nodemailer.ts";
import { isInForce, messageIn, putAside, takeOut, takeOutVoid, type Waiting, waitingIn } from "./outbox.ts";
import { stepsOfLetter } from "./proof.ts";
import { stepsIn } from "./quick-start/commands.ts";
import { messageOf, type Sender } from "./sender.ts";
import { textIn } from "./text-part.ts";

/**
 * What an earlier run of this file has left and still counts, by client.
 * @param batch tells the file
 * @throws AigwError `invalid_value` when one of them is for an address that has changed since
 */
export const waitingOf = (home: Home, batch: string, clients: readonly Client[]): ReadonlyMap<string, Waiting> => {
  const byName = new Map(clients.map((client) => [client.name, client]));
  const found = waitingIn(home).filter(
    (message) => message.batch === batch && isInForce(message, byName.get(message.client)),
  );
  const moved = found.find(({ client, to }) => byName.get(client)?.email !== to);
  if (moved !== undefined) {
    const { client, to } = moved;
    throw new AigwError(
      "invalid_value",
      `An e-mail from an earlier run of this file waits for ${client} at ${to}, which is not ${client}'s address any more. Nothing was changed. Onboard ${client} alone first: aigw onboard ${client} --send`,
    );
  }
  return new Map(found.map((message) => [message.client, message]));
};

/** What an earlier run has left. The passwords stand in the messages alone. */
export const resumed = (
  { tasks }: Roster,
  waiting: ReadonlyMap<string, Waiting>,
  publicUrl: string,
): readonly Recipient[] =>
  tasks.flatMap((task) => {
    if (task.kind !== "deliver") return [];
    const message = waiting.get(task.known.name);
    if (message === undefined) return [];
    const steps = stepsIn(textIn(messageIn(message)), publicUrl);
    return [{ client: task.known, credentials: undefined, steps, waiting: message }];
  });

/** What the messages are made of. Without a letter and a sender there are none. */
export interface Letters {
  readonly services: readonly Service[];
  readonly settings: Readonly<Record<SettingKey, EffectiveSetting>>;
  readonly letter: Letter | undefined;
  readonly sender: Sender | undefined;
  readonly batch: string;
}

/**
 * Writes the message of each, before its password is in force.
 * @throws AigwError `failed` when the disk does not take one of them; none is left there then
 */
export const allPutAside = async (
  ctx: Context,
  home: Home,
  made: readonly Credentials[],
  { services, settings, letter, sender, batch }: Letters,
): Promise<readonly Recipient[]> => {
  const recipients: Recipient[] = [];
  const plans = await readPlans(
    home.store.control,
    made.map(({ client }) => client),
  );
  try {
    for (const credentials of made) {
      const { client, password } = credentials;
      const facts = onboardingFacts(client, password, services, settings, termsAmong(client, plans));
      const email = letter?.(facts);
      const steps = stepsOfLetter(email?.body ?? "", facts);
      const to = client.email;
      if (email === undefined || sender === undefined || to === undefined) {
        recipients.push({ client, credentials, steps, waiting: undefined });
        continue;
      }
      const at = ctx.clock.now();
      const message = messageOf(sender, { address: to, name: client.displayName }, email, at);
      const bytes = await composeMessage(message);
      const waiting = putAside(home, { client, to, from: sender.from.address, bytes, at, batch });
      recipients.push({ client, credentials, steps, waiting });
    }
    return recipients;
  } catch (error) {
    discard(recipients);
    throw error;
  }
};

const discard = (recipients: readonly Recipient[]): void => {
  for (const { waiting } of recipients) if (waiting !== undefined) takeOut(waiting);
};

/**
 * Puts all credentials in force, or takes their messages out again.
 * @returns the revision, or undefined when there was nothing to change
 */
export const issueAside = async (
  home: Home,
  fresh: readonly Recipient[],
  stop: AbortSignal,
): Promise<number | undefined> => {
  const made = fresh.flatMap(({ credentials }) => credentials ?? []);
  if (made.length === 0) return undefined;
  try {
    if (stop.aborted) throw new Interrupted("Interrupted. Nothing was changed.");
    const { rev } = await issueCredentials(home, made);
    takeOutVoid(
      home,
      made.map(({ client }) => client),
    );
    return rev;
  } catch (error) {
    discard(fresh);
    throw error;
  }
};
