// Homes with very much in them, without a command for each of it.
import { mkdirSync } from "node:fs";
import { createKeyFile } from "../../packages/core/src/home/key-file.ts";
import { newStoreSeed } from "../../packages/core/src/home/new-store-seed.ts";
import {
  type ActDeps,
  activeKey,
  addService,
  type ChangeDraft,
  type Client,
  defaultStoreUrl,
  masterKeyPath,
  openHome,
  openSigningKey,
  systemClock,
} from "../../packages/core/src/index.ts";
import { createStore } from "../../packages/core/src/store/open-store.ts";
import { issueToken, realmOf } from "../../packages/core/src/tokens/index.ts";
import { answer } from "../support/peer.ts";
import { foldAll, recordAll } from "../support/usage.ts";

/** A hash that no password fits: whoever calls has a token already. */
const HASH = "$argon2id$v=19$m=19456,t=2,p=1$dGVzdHRlc3R0ZXN0dGVzdA$bm90IGEgcmVhbCBoYXNoLCBvcGVucyB3aXRoIG5vdGhpbmc";
const NO_LIMIT = 10_000_000;
const ACT = { actor: "bench" } as const;

const aClient = (index: number, at: number, limit: number): Client => ({
  id: `c_${String(index).padStart(16, "0")}`,
  name: `client-${index}`,
  passwordHash: HASH,
  email: `client-${index}@example.com`,
  displayName: `Client ${index}`,
  limit,
  status: "active",
  epoch: 1,
  createdAt: at,
  passwordChangedAt: at,
});

interface Wanted {
  /** Where nothing is yet. */
  readonly home: string;
  /** The home's own file unless given. */
  readonly storeUrl?: string;
  readonly upstream: string;
  readonly clients: number;
  /** Requests a minute for each; more than anybody could send unless given. */
  readonly limit?: number;
  /** Usage events of the last 30 days, counted into the sums. */
  readonly events: number;
  /** For the first so many clients, one each. */
  readonly tokens: number;
}

/** @returns the tokens */
const home = async ({
  home,
  storeUrl = defaultStoreUrl(home),
  upstream,
  clients,
  limit = NO_LIMIT,
  events,
  tokens,
}: Wanted): Promise<readonly string[]> => {
  const at = Date.now();
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const all = Array.from({ length: clients }, (_, index) => aClient(index, at, limit));
  const drafts = all.map((client): ChangeDraft => ({ action: "client.add", subject: client.name, after: client }));
  // All clients in the transaction that makes the store: 100,000 acts would wait for the disk 100,000 times.
  await createStore(storeUrl, newStoreSeed(createKeyFile(masterKeyPath(home)), drafts, { ...ACT, at }));
  const { store, sealer } = await openHome({ home, storeUrl, clock: systemClock });
  try {
    const deps: ActDeps = { store, sealer, clock: systemClock, ...ACT };
    await addService(deps, { name: "echo", url: upstream });
    if (events > 0) {
      await recordAll(store.traffic, events);
      await foldAll(store.traffic);
    }
    const key = activeKey(await store.control.keyring());
    const secret = key && openSigningKey(sealer, key);
    if (key === undefined || secret === undefined) throw new Error("there is no signing key");
    const signed: string[] = [];
    for (const client of all.slice(0, tokens)) {
      const verifying = { kid: key.kid, alg: key.alg, secret };
      signed.push((await issueToken(client, verifying, realmOf(store.control.storeId), Date.now())).token);
    }
    return signed;
  } finally {
    await store.close();
  }
};

const acts = { home };
export type SeedActs = typeof acts;
answer(acts);
