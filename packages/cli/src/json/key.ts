import { type SigningKey, verifies } from "@aigw/core/keys";
import { rfc3339 } from "../terminal/output/time.ts";

/** A signing key as scripts see it: never its secret. */
export interface KeyJson {
  readonly id: string;
  readonly status: SigningKey["status"];
  readonly createdAt: string;
  readonly activatedAt: string | null;
  /** Only on `retiring`. */
  readonly verifyUntil: string | null;
  readonly retiredAt: string | null;
}

const timeOrNull = (at: number | undefined): string | null => (at === undefined ? null : rfc3339(at));

/** A gateway retires a key when its time is up; with none running the next rotation does. */
export const keyStatus = (key: SigningKey, now: number): SigningKey["status"] =>
  key.status === "retiring" && !verifies(key, now) ? "retired" : key.status;

export const keyJson = (key: SigningKey, now: number): KeyJson => {
  const status = keyStatus(key, now);
  return {
    id: key.kid,
    status,
    createdAt: rfc3339(key.createdAt),
    activatedAt: timeOrNull(key.activatedAt),
    verifyUntil: status === "retiring" ? timeOrNull(key.verifyUntil) : null,
    retiredAt: status === "retired" ? timeOrNull(key.retiredAt ?? key.verifyUntil) : null,
  };
};
