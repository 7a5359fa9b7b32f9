import type { ChangeDraft } from "../changes/change.ts";
import type { Client } from "../clients/client.ts";
import { generatePassword, hashPassword } from "../clients/password.ts";
import { AigwError, isAigwError } from "../errors.ts";
import { randomId } from "../random-id.ts";
import { type AddClientInput, assertAbsent, type ClientWithPassword } from "./add-client.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertServicesExist } from "./find.ts";
import { withPassword } from "./set-password.ts";

/** One client of many: added with these facts, or given a new password. Checked by the caller. */
export type CredentialsRequest =
  | { readonly kind: "add"; readonly facts: Omit<AddClientInput, "password"> }
  /** `known` as it was when the caller decided: a client that has changed since is left alone. */
  | { readonly kind: "replace"; readonly known: Client };

/** Hashing takes a core each. */
const HASHES_AT_ONCE = 4;

/**
 * Fresh credentials for many clients, all or nothing. The log takes one change at a time, so this is not one
 * transaction: all passwords are hashed first, then the changes follow each other, and when one cannot be made those
 * before it are taken back, the added clients by removing them, the others by putting their old password back.
 * @param onIssued told of each client in turn; what it throws stops the whole
 * @throws AigwError whatever stopped it; its message says what could not be taken back
 */
export const issueCredentials = async (
  deps: ActDeps,
  requests: readonly CredentialsRequest[],
  onIssued: (done: number) => void = () => undefined,
): Promise<Committed<readonly ClientWithPassword[]>> => {
  const prepared = await hashed(requests);
  const issued: ClientWithPassword[] = [];
  const undo: Undo[] = [];
  let rev = await deps.store.control.head();
  for (const { request, password, passwordHash } of prepared) {
    try {
      const committed = await issueOne(deps, request, passwordHash);
      undo.unshift({ request, after: committed.result });
      issued.push({ client: committed.result, password });
      rev = committed.rev;
      onIssued(issued.length);
    } catch (error) {
      throw takenBack(error, await takeBack(deps, undo), undo);
    }
  }
  return { result: issued, rev, changed: issued.length > 0 };
};

interface Prepared {
  readonly request: CredentialsRequest;
  readonly password: string;
  readonly passwordHash: string;
}

interface Undo {
  readonly request: CredentialsRequest;
  readonly after: Client;
}

const hashed = async (requests: readonly CredentialsRequest[]): Promise<readonly Prepared[]> => {
  const prepared: Prepared[] = [];
  for (let at = 0; at < requests.length; at += HASHES_AT_ONCE) {
    const some = requests.slice(at, at + HASHES_AT_ONCE).map(async (request): Promise<Prepared> => {
      const password = generatePassword();
      return { request, password, passwordHash: await hashPassword(password) };
    });
    prepared.push(...(await Promise.all(some)));
  }
  return prepared;
};

const issueOne = (deps: ActDeps, request: CredentialsRequest, passwordHash: string): Promise<Committed<Client>> =>
  commit(deps, async () => {
    const now = deps.clock.now();
    if (request.kind === "replace") {
      const { known } = request;
      const before = await deps.store.control.client(known.name);
      if (before?.id !== known.id || before.epoch !== known.epoch) throw changedMeanwhile(known.name);
      const after = withPassword(before, passwordHash, now);
      return { draft: { action: "client.passwd", subject: known.name, after }, result: after };
    }
    const { facts } = request;
    await assertAbsent(deps, facts.name);
    await assertServicesExist(deps.store.control, facts.services);
    const after: Client = {
      ...facts,
      id: randomId("c_", 16),
      passwordHash,
      status: "active",
      epoch: 1,
      createdAt: now,
      passwordChangedAt: now,
    };
    return { draft: { action: "client.add", subject: facts.name, after }, result: after };
  });

const changedMeanwhile = (name: string): AigwError =>
  new AigwError("changed_meanwhile", `Somebody else changed ${name} meanwhile.`, { details: { name } });

/** @returns the names of those that could not be taken back */
const takeBack = async (deps: ActDeps, undo: readonly Undo[]): Promise<readonly string[]> => {
  const stuck: string[] = [];
  for (const { request, after } of undo) {
    try {
      await commit(deps, async () => {
        const now = await deps.store.control.client(after.name);
        // Whoever changed it since knows better.
        if (now?.id !== after.id || now.passwordHash !== after.passwordHash) return { result: undefined };
        return { draft: undoing(request, now), result: undefined };
      });
    } catch {
      // Most likely the same store fault that stopped the whole; the error to come names who is left.
      stuck.push(after.name);
    }
  }
  return stuck;
};

/** The epoch goes on rising, so that no token of either password comes back to life. */
const undoing = (request: CredentialsRequest, now: Client): ChangeDraft => {
  if (request.kind === "add") return { action: "client.remove", subject: now.name, after: null };
  const { passwordHash, passwordChangedAt, provenAt } = request.known;
  const after = { ...now, passwordHash, passwordChangedAt, epoch: now.epoch + 1 };
  return {
    action: "client.passwd",
    subject: now.name,
    after: provenAt === undefined ? after : { ...after, provenAt },
  };
};

const takenBack = (error: unknown, stuck: readonly string[], undo: readonly Undo[]): unknown => {
  if (!isAigwError(error)) return error;
  const restored = undo.filter(({ request }) => request.kind === "replace").map(({ after }) => after.name);
  const tokens =
    restored.length === 0 ? "" : ` ${restored.join(", ")}: the old password works again, old tokens are dead.`;
  const what =
    stuck.length > 0
      ? `Passwords that nobody has seen are set for: ${stuck.join(", ")}. They could not be taken back; give them new ones.`
      : undo.length > 0
        ? `What had been done before that was taken back.${tokens}`
        : "Nothing was changed.";
  return new AigwError(error.code, `${error.message} ${what}`, { cause: error, details: error.details });
};
