import { createHash } from "node:crypto";
import type { SettingKey } from "../config/settings.ts";
import { type ChangeDraft, type Effect, isPurged, isSuperseded } from "./change.ts";

/** Those that SETTINGS calls secret (tested): every command loads this, and few need all of the settings' rules. */
export const SECRET_SETTINGS: ReadonlySet<SettingKey> = new Set<SettingKey>(["smtp-password"]);

/** What an effect holds that must not outlive it: hashes and sealed values. None once it is superseded. */
export const secretsOf = (effect: Effect): readonly string[] => {
  if (isPurged(effect) || isSuperseded(effect) || effect.after === null) return [];
  switch (effect.action) {
    case "service.add":
    case "service.set":
      return [
        ...effect.after.headers.map(({ sealedValue }) => sealedValue),
        ...(effect.after.sealedClientKey === undefined ? [] : [effect.after.sealedClientKey]),
      ];
    case "secret.create":
    case "secret.rotate":
    case "secret.publish":
    case "secret.activate":
    case "secret.withdraw":
    case "secret.retire":
    case "secret.restore":
      return effect.after.flatMap(({ sealedSecret }) => sealedSecret ?? []);
    case "config.set":
      return SECRET_SETTINGS.has(effect.subject) ? [effect.after] : [];
    case "plan.add":
    case "plan.set":
      return [];
    default:
      return [effect.after.passwordHash];
  }
};

/** What the log keeps of an effect that holds secrets, once a later one on its subject is appended. */
export const withoutSecrets = (effect: ChangeDraft): Effect => {
  if (effect.after === null) return effect;
  switch (effect.action) {
    case "service.add":
    case "service.set": {
      const headers = effect.after.headers.map(({ name, sealedValue }) => ({
        name,
        sealedValue: traceOf(sealedValue),
      }));
      const { sealedClientKey } = effect.after;
      const key = sealedClientKey === undefined ? {} : { sealedClientKey: traceOf(sealedClientKey) };
      return { ...effect, after: { ...effect.after, headers, ...key }, superseded: true };
    }
    case "secret.create":
    case "secret.rotate":
    case "secret.publish":
    case "secret.activate":
    case "secret.withdraw":
    case "secret.retire":
    case "secret.restore":
      return { ...effect, after: effect.after.map(({ sealedSecret: _gone, ...key }) => key), superseded: true };
    case "config.set":
      return { ...effect, after: traceOf(effect.after), superseded: true };
    case "plan.add":
    case "plan.set":
      return effect;
    default: {
      const { passwordHash, ...client } = effect.after;
      return { ...effect, after: { ...client, passwordHash: traceOf(passwordHash) }, superseded: true };
    }
  }
};

/**
 * What tells one hash or sealed value from another when it is gone itself, so that the audit log still says which of a
 * service's headers a change replaced. Nothing can be got from it: each has random bytes of its own.
 */
export const traceOf = (secret: string): string =>
  secret.startsWith(TRACE) ? secret : `${TRACE}${createHash("sha256").update(secret).digest("base64url").slice(0, 12)}`;

const TRACE = "erased:";
