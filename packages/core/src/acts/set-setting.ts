import { openSetting, parseSetting, SETTINGS, type SettingKey, sealSetting } from "../config/settings.ts";
import { type ActDeps, type Committed, commit } from "./commit.ts";

/** @returns the value in its stored form: a secret one sealed. @throws AigwError `invalid_value` */
export const setSetting = (deps: ActDeps, key: SettingKey, value: string): Promise<Committed<string>> => {
  const wanted = parseSetting(key, value);
  const secret = SETTINGS[key].secret === true;
  const after = secret ? sealSetting(deps.sealer, wanted) : wanted;
  return commit(deps, async () => {
    const before = (await deps.store.control.settings()).get(key);
    const known = before !== undefined && secret ? openSetting(deps.sealer, before) : before;
    if (before !== undefined && known === wanted) return { result: before };
    return { draft: { action: "config.set", subject: key, after }, result: after };
  });
};

/** Back to the default; no error when it was not set. */
export const unsetSetting = (deps: ActDeps, key: SettingKey): Promise<Committed<void>> =>
  commit(deps, async () => {
    if (!(await deps.store.control.settings()).has(key)) return { result: undefined };
    return { draft: { action: "config.unset", subject: key, after: null }, result: undefined };
  });
