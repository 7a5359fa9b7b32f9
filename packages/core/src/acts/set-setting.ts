import { parseSetting, type SettingKey } from "../config/settings.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";

/** @returns the value in its stored form. @throws AigwError `invalid_value` */
export const setSetting = (deps: ActDeps, key: SettingKey, value: string): Promise<Committed<string>> => {
  const after = parseSetting(key, value);
  return commit(deps, async () => {
    if ((await deps.store.control.settings()).get(key) === after) return { result: after };
    return { draft: { action: "config.set", subject: key, after }, result: after };
  });
};

/** Back to the default; no error when it was not set. */
export const unsetSetting = (deps: ActDeps, key: SettingKey): Promise<Committed<void>> =>
  commit(deps, async () => {
    if (!(await deps.store.control.settings()).has(key)) return { result: undefined };
    return { draft: { action: "config.unset", subject: key, after: null }, result: undefined };
  });
