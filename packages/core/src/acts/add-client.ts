import type { Client } from "../clients/client.ts";
import { parseClientName } from "../clients/parse-client.ts";
import { generatePassword, hashPassword, parseChosenPassword } from "../clients/password.ts";
import { AigwError } from "../errors.ts";
import { randomId } from "../random-id.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";
import { assertPlanExists, assertServicesExist } from "./find.ts";

export interface AddClientInput {
  readonly name: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly note?: string;
  readonly services?: readonly string[];
  readonly limit?: number;
  readonly plan?: string;
  /** Canonical text, see quotasInWords. */
  readonly quota?: string;
  readonly weight?: number;
  readonly expiresAt?: number;
  /** One the admin chose; absent, one is generated. */
  readonly password?: string;
}

export interface ClientWithPassword {
  readonly client: Client;
  /** In the clear, for this one time. */
  readonly password: string;
}

/** @throws AigwError `already_exists`, `invalid_value` */
export const addClient = async (deps: ActDeps, input: AddClientInput): Promise<Committed<ClientWithPassword>> => {
  const { password: chosen, ...facts } = input;
  const name = parseClientName(facts.name);
  const password = chosen === undefined ? generatePassword() : parseChosenPassword(chosen, name);
  await assertAbsent(deps, name);
  const passwordHash = await hashPassword(password);
  return commit(deps, async () => {
    await assertAbsent(deps, name);
    await assertServicesExist(deps.store.control, facts.services);
    await assertPlanExists(deps.store.control, facts.plan);
    const client = newClient({ ...facts, name }, passwordHash, deps.clock.now());
    return { draft: { action: "client.add", subject: name, after: client }, result: { client, password } };
  });
};

/** @param now wall clock, milliseconds since the epoch */
export const newClient = (facts: Omit<AddClientInput, "password">, passwordHash: string, now: number): Client => ({
  ...facts,
  id: randomId("c_", 16),
  passwordHash,
  status: "active",
  epoch: 1,
  createdAt: now,
  passwordChangedAt: now,
});

export const assertAbsent = async (deps: ActDeps, name: string): Promise<void> => {
  if ((await deps.store.control.client(name)) === undefined) return;
  throw new AigwError(
    "already_exists",
    `There is a client '${name}' already. Show it: aigw client show ${name}; give it a new password: aigw client passwd ${name}`,
    { details: { name } },
  );
};
