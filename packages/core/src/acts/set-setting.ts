import { openSetting, parseSetting, SETTINGS, type SettingKey, sealSetting } from "../config/settings.ts";
import { type Changed, changeSeveral, onlyOne } from "./change-several.ts";
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
export const unsetSetting = (deps: ActDeps, key: SettingKey): Promise<Committed<SettingKey>> =>
  onlyOne(unsetSettings(deps, [key]));

/** {@link unsetSetting} for all of them in one change. */
export const unsetSettings = (
  deps: ActDeps,
  keys: readonly SettingKey[],
): Promise<Committed<readonly Changed<SettingKey>[]>> =>
  changeSeveral(
    deps,
    async () => {
      const stored = await deps.store.control.settings();
      return keys.map((key) => ({ key, isSet: stored.has(key) }));
    },
    ({ key, isSet }) => ({
      subject: key,
      ...(isSet && { draft: { action: "config.unset", subject: key, after: null } as const }),
    }),
  );
