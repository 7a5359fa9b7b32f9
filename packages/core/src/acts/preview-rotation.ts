import { standingOf } from "../clients/client.ts";
import { verifies } from "../keys/signing-key.ts";
import type { SeenInstance } from "../store/store.ts";
import { INSTANCE_GONE_MS } from "./await-gateways.ts";
import type { ActDeps } from "./commit.ts";
import { keyTime } from "./key-time.ts";

/** Whom a rotation hits. */
export interface RotationPreview {
  /** Names of clients that hold a token which works at this moment, ascending. */
  readonly clientsWithLiveTokens: readonly string[];
  readonly gateways: readonly SeenInstance[];
}

export const previewRotation = async (deps: Pick<ActDeps, "store" | "clock">): Promise<RotationPreview> => {
  const now = keyTime(deps);
  const keyring = await deps.store.control.keyring();
  const verifying = new Set(keyring.filter((key) => verifies(key, now.steady)).map((key) => key.kid));
  const issues = (await deps.store.traffic.liveTokens(now.steady)).filter((issue) => verifying.has(issue.kid));
  const live = new Set(issues.map((issue) => `${issue.clientId} ${issue.epoch}`));
  const clients = await deps.store.control.clients();
  return {
    clientsWithLiveTokens: clients
      .filter((client) => live.has(`${client.id} ${client.epoch}`) && standingOf(client, now.wall) === "active")
      .map((client) => client.name),
    gateways: await deps.store.traffic.instances(INSTANCE_GONE_MS),
  };
};
