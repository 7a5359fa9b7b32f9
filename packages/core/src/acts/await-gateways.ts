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
  /** True when every gateway that may run applied it; also when none runs. */
  readonly complete: boolean;
}

/**
 * A gateway unseen for so long is not running any more, unless the store knows better: that one is silent, and nobody
 * knows what is in force on it.
 */
export const INSTANCE_GONE_MS = 10_000;

/** It may run, and it is not known what is in force on it. */
export const isSilent = ({ lastSeenAgoMs }: Pick<SeenInstance, "lastSeenAgoMs">): boolean =>
  lastSeenAgoMs >= INSTANCE_GONE_MS;

const POLL_MS = 10;
/** Gateways report every second. */
const HEARTBEAT_MISSED_MS = 2_500;
/** After an outage of the store nobody has been seen for long, and all who run report within so long. */
const RETURN_MS = 2_500;
/** As long as an engine remembers. */
const REMEMBERED_MS = 3_600_000;

/**
 * Waits until every gateway that may run has applied revision `rev`, at most `timeoutMs`. One that shuts down meanwhile
 * is not waited for.
 * @throws AigwError `store_*` when who runs cannot be read; the reason of `signal`
 */
export const awaitGateways = async (
  deps: Pick<ActDeps, "store" | "clock">,
  rev: number,
  timeoutMs = 3_000,
  signal?: AbortSignal,
): Promise<Receipt> => {
  const start = deps.clock.monotonic();
  const applied = new Map<string, GatewayReceipt>();
  let mayNobodyReturn = false;
  for (;;) {
    signal?.throwIfAborted();
    const waited = deps.clock.monotonic() - start;
    const running = withoutSuperseded(await deps.store.traffic.instances(INSTANCE_GONE_MS));
    const pending: GatewayReceipt[] = [];
    for (const { id, address, worker, lastSeenAgoMs, appliedRev } of running) {
      const gateway = { id, address, ...(worker !== undefined && { worker }), lastSeenAgoMs };
      if (appliedRev < rev) pending.push(gateway);
      else if (!applied.has(id)) applied.set(id, { ...gateway, appliedAfterMs: Math.round(waited) });
    }
    const isAlone = running.length === 0 && waited < Math.min(RETURN_MS, timeoutMs);
    if (isAlone && !mayNobodyReturn) {
      // And a last look at who runs: whoever reported between these two is in neither of them.
      mayNobodyReturn = !(await mayReturn(deps));
      if (!mayNobodyReturn) await delay(POLL_MS);
      continue;
    }
    if (pending.length === 0 || waited >= timeoutMs) {
      return { rev, gateways: [...applied.values(), ...pending], complete: pending.length === 0 };
    }
    await delay(POLL_MS);
  }
};

/** Whether somebody may run who could not report: to say that nobody does would be wrong a moment later. */
const mayReturn = async ({ store }: Pick<ActDeps, "store">): Promise<boolean> =>
  (await store.traffic.instances(REMEMBERED_MS)).some((instance) => instance.mayReturn);

/** A gateway that was killed and started again leaves a record behind that nobody will ever update. */
const withoutSuperseded = (instances: readonly SeenInstance[]): readonly SeenInstance[] =>
  instances.filter(
    (old) =>
      old.alive ||
      old.lastSeenAgoMs < HEARTBEAT_MISSED_MS ||
      !instances.some((other) => other.lastSeenAgoMs < old.lastSeenAgoMs && takesThePlaceOf(other, old)),
  );

/** An address of a machine belongs to one gateway at a time; its workers share it, each under its own number. */
const takesThePlaceOf = (other: Instance, old: Instance): boolean =>
  other.address === old.address &&
  other.hostname === old.hostname &&
  (other.worker === old.worker || other.worker === undefined || old.worker === undefined);
