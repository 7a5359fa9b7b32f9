import { existsSync, renameSync } from "node:fs";
import { AigwError } from "../../../errors.ts";
import { randomId } from "../../../random-id.ts";
import { usagePathOf } from "../files/paths.ts";

/** See StoreEngine.vacate: the usage database is the one that is put in place first. */
export const vacate = (path: string, resumed: boolean): void => {
  const usage = usagePathOf(path);
  for (const file of resumed ? [path, `${path}-wal`] : [path, `${path}-wal`, usage]) {
    if (!existsSync(file)) continue;
    throw new AigwError(
      "already_exists",
      `${file} is there: a backup is restored into an empty home only, never over data. Give another: --home <dir>`,
    );
  }
  if (existsSync(usage)) renameSync(usage, `${usage}.cut-${randomId("", 6)}`);
};
