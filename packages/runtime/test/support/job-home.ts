import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { initHome, openHome, type Sealer, type Store, systemClock } from "@aigw/core";
import { JobFolder } from "@aigw/core/jobs";

export interface JobHome {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly folder: JobFolder;
}

/** A home with a folder of jobs, without a gateway. */
export const openJobHome = async (t: TestContext): Promise<JobHome> => {
  const parent = mkdtempSync(join(tmpdir(), "aigw-jobs-"));
  const home = join(parent, "home");
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  t.after(async () => {
    await store.close();
    rmSync(parent, { recursive: true, force: true });
  });
  return { store, sealer, folder: await JobFolder.open(join(home, "jobs"), store.control.storeId) };
};
