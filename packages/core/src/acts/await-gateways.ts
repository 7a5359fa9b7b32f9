import { setTimeout as delay } from "node:timers/promises";
import type { Instance, SeenInstance } from "../store/store.ts";
import type { ActDeps } from "./commit.ts";

/** What one running gateway did about a change. */
export interface GatewayReceipt {
  readonly id: string;
  readonly address: string;
  /** See {@link Instance.worker}. */
  readonly worker?: number;
  /** From the call until the gateway was seen to have applied it, milliseconds; absent when it did not answer. */
  readonly appliedAfterMs?: number;
  readonly lastSeenAgoMs: number;
}

/** The proof that a change is in force. */
export interface Receipt {
  readonly rev: number;
  readonly gateways: readonly GatewayReceipt[];
  /** True when every running gateway applied it; also when none runs. */
  readonly complete: boolean;
}

/** A gateway unseen for so long is not running any more. One that was only suspended catches up before it serves. */
export const INSTANCE_GONE_MS = 10_000;
const POLL_MS = 10;
/** Gateways report every second. */
const HEARTBEAT_MISSED_MS = 2_500;

/**
 * Waits until every running gateway has applied revision `rev`, at most `timeoutMs`. A gateway that shuts down
 * meanwhile is not waited for.
 */
export const awaitGateways = async (
  deps: Pick<ActDeps, "store" | "clock">,
  rev: number,
  timeoutMs = 3_000,
): Promise<Receipt> => {
  const start = deps.clock.monotonic();
  const applied = new Map<string, GatewayReceipt>();
  for (;;) {
    const waited = deps.clock.monotonic() - start;
    const running = withoutSuperseded(await deps.store.traffic.instances(INSTANCE_GONE_MS));
    const pending: GatewayReceipt[] = [];
    for (const { id, address, worker, lastSeenAgoMs, appliedRev } of running) {
      const gateway = { id, address, ...(worker !== undefined && { worker }), lastSeenAgoMs };
      if (appliedRev < rev) pending.push(gateway);
      else if (!applied.has(id)) applied.set(id, { ...gateway, appliedAfterMs: Math.round(waited) });
    }
    if (pending.length === 0 || waited >= timeoutMs) {
      return { rev, gateways: [...applied.values(), ...pending], complete: pending.length === 0 };
    }
    await delay(POLL_MS);
  }
};

/** A gateway that was killed and started again leaves a record behind that nobody will ever update. */
const withoutSuperseded = (instances: readonly SeenInstance[]): readonly SeenInstance[] =>
  instances.filter(
    (old) =>
      old.lastSeenAgoMs < HEARTBEAT_MISSED_MS ||
      !instances.some((other) => other.lastSeenAgoMs < old.lastSeenAgoMs && takesThePlaceOf(other, old)),
  );

/** An address of a machine belongs to one gateway at a time; its workers share it, each under its own number. */
const takesThePlaceOf = (other: Instance, old: Instance): boolean =>
  other.address === old.address &&
  other.hostname === old.hostname &&
  (other.worker === old.worker || other.worker === undefined || old.worker === undefined);
