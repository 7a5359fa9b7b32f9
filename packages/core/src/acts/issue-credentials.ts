import type { ChangeDraft } from "../changes/change.ts";
import type { Client } from "../clients/client.ts";
import { parseClientName } from "../clients/parse-client.ts";
import { generatePassword, hashPassword, parseChosenPassword } from "../clients/password.ts";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import { type AddClientInput, assertAbsent, type ClientWithPassword, newClient } from "./add-client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertPlanExists, assertServicesExist } from "./find.ts";
import { withPassword } from "./set-password.ts";

/** One client: added with these facts, or given a new password. `password`: one the admin chose; else it is generated. */
export type CredentialsRequest =
  | { readonly kind: "add"; readonly facts: Omit<AddClientInput, "password">; readonly password?: string }
  /** `known` as it was when the caller decided: a client that has changed since is left alone. */
  | { readonly kind: "replace"; readonly known: Client; readonly password?: string };

/** Credentials that are made and not yet in force: `client` as it will be stored. */
export interface Credentials extends ClientWithPassword {
  /** As it was before; undefined when it is added. */
  readonly before: Client | undefined;
}

/** Hashing takes a core each. */
const HASHES_AT_ONCE = 4;

/**
 * Makes credentials and stores nothing.
 * @param onMade told of each client in turn; what it throws stops the whole
 * @throws AigwError `invalid_value`
 */
export const makeCredentials = async (
  { clock }: { readonly clock: Clock },
  requests: readonly CredentialsRequest[],
  onMade: (done: number) => void = () => undefined,
): Promise<readonly Credentials[]> => {
  const made: Credentials[] = [];
  for (let at = 0; at < requests.length; at += HASHES_AT_ONCE) {
    for (const one of await Promise.all(
      requests.slice(at, at + HASHES_AT_ONCE).map((request) => makeOne(clock, request)),
    )) {
      made.push(one);
      onMade(made.length);
    }
  }
  return made;
};

const makeOne = async (clock: Clock, request: CredentialsRequest): Promise<Credentials> => {
  const name = request.kind === "add" ? parseClientName(request.facts.name) : request.known.name;
  const password = request.password === undefined ? generatePassword() : parseChosenPassword(request.password, name);
  const passwordHash = await hashPassword(password);
  const now = clock.now();
  if (request.kind === "replace") {
    const { known } = request;
    return { before: known, password, client: withPassword(known, passwordHash, now) };
  }
  return { before: undefined, password, client: newClient(request.facts, passwordHash, now) };
};

/**
 * Puts credentials in force: one change of the log, for all of them or for nobody.
 * @throws AigwError `already_exists`, `invalid_value`, or `changed_meanwhile` when somebody else has changed one of the
 *   clients since its credentials were made; nothing was changed then
 */
export const issueCredentials = (deps: ActDeps, made: readonly Credentials[]): Promise<Committed<void>> =>
  commit(deps, async () => {
    const draft: ChangeDraft[] = [];
    for (const { before, client } of made) {
      const { name } = client;
      if (before === undefined) await assertAbsent(deps, name);
      else if (!isAsKnown(before, await deps.store.control.client(name))) throw changedMeanwhile(name);
      draft.push({ action: before === undefined ? "client.add" : "client.passwd", subject: name, after: client });
    }
    const added = made.filter(({ before }) => before === undefined);
    await assertServicesExist(deps.store.control, [...new Set(added.flatMap(({ client }) => client.services ?? []))]);
    for (const plan of new Set(added.map(({ client }) => client.plan)))
      await assertPlanExists(deps.store.control, plan);
    return { draft, result: undefined };
  });

/** A hash made anew on a login, and a proof, are of the password that goes anyway. */
const isAsKnown = (known: Client, now: Client | undefined): boolean =>
  now !== undefined && JSON.stringify(withPassword(known, "", 0)) === JSON.stringify(withPassword(now, "", 0));

const changedMeanwhile = (name: string): AigwError =>
  new AigwError("changed_meanwhile", `Somebody else changed ${name} meanwhile. Nothing was changed; try again.`, {
    details: { name },
  });

/** What became of credentials that were to be taken back, by name. */
export interface TakenBack {
  /** Their old passwords work again. Their old tokens do not: a token of either password must not come back to life. */
  readonly restored: readonly string[];
  /** They were added, and are gone. */
  readonly removed: readonly string[];
  /** Somebody else has changed them since, and knows better. */
  readonly leftAlone: readonly string[];
}

/** Undoes {@link issueCredentials} for these clients: one change of the log. */
export const takeBackCredentials = (
  deps: ActDeps,
  issued: readonly Pick<Credentials, "client" | "before">[],
): Promise<Committed<TakenBack>> =>
  commit(deps, async () => {
    const draft: ChangeDraft[] = [];
    const leftAlone: string[] = [];
    for (const { client, before } of issued) {
      const now = await deps.store.control.client(client.name);
      if (now?.id !== client.id || now.passwordHash !== client.passwordHash) leftAlone.push(client.name);
      else draft.push(undoing(before, now));
    }
    const namesOf = (action: ChangeDraft["action"]): readonly string[] =>
      draft.filter((effect) => effect.action === action).map(({ subject }) => subject);
    const result = { restored: namesOf("client.passwd"), removed: namesOf("client.remove"), leftAlone };
    return draft.length === 0 ? { result } : { draft, result };
  });

const undoing = (before: Client | undefined, now: Client): ChangeDraft => {
  if (before === undefined) return { action: "client.remove", subject: now.name, after: null };
  const { passwordHash, passwordChangedAt, provenAt } = before;
  const { provenAt: _ofTheNewOne, ...rest } = now;
  const after = { ...rest, passwordHash, passwordChangedAt, epoch: now.epoch + 1 };
  return {
    action: "client.passwd",
    subject: now.name,
    after: provenAt === undefined ? after : { ...after, provenAt },
  };
};
