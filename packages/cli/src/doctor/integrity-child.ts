import { text } from "node:stream/consumers";
import { systemClock } from "@aigw/core/clock";
import { isAigwError } from "@aigw/core/errors";
import { openStore } from "@aigw/core/store";
import { shutDiagnostics } from "../app/shut-diagnostics.ts";
import type { IntegrityReport } from "./checks/integrity.ts";

// Else it would open the inspector.
process.on("SIGUSR1", () => {});
shutDiagnostics();

/** A process of its own: reading a large database takes long, cannot be interrupted, and would stop every other check. */
const BUSY_TIMEOUT_MS = 2_000;

const examine = async (storeUrl: string): Promise<IntegrityReport> => {
  try {
    const store = await openStore(storeUrl, { clock: systemClock, busyTimeoutMs: BUSY_TIMEOUT_MS });
    try {
      return { problems: await store.integrityCheck() };
    } finally {
      await store.close();
    }
  } catch (error) {
    if (isAigwError(error)) return { problems: [error.message] };
    throw error;
  }
};

process.stdout.write(JSON.stringify(await examine(await text(process.stdin))));
