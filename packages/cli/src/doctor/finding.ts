import type { Finding, Severity } from "../findings/finding.ts";

export type Level = "ok" | "warn" | "fail";

/**
 * Everything that doctor can find, with how bad it is. The codes are stable: scripts rely on them, and docs/doctor.md is
 * checked against this table.
 */
export const FINDINGS = {
  node_current: "ok",
  node_outdated: "warn",
  node_unsupported: "fail",
  home_ready: "ok",
  home_shared: "ok",
  home_empty: "fail",
  home_broken: "fail",
  home_loose: "fail",
  home_read_only: "fail",
  master_key_opens: "ok",
  master_key_untried: "warn",
  master_key_broken: "fail",
  store_ready: "ok",
  store_broken: "fail",
  store_wal_large: "warn",
  store_single_server: "warn",
  store_member_down: "warn",
  store_plain: "warn",
  integrity_sound: "ok",
  integrity_unfinished: "warn",
  integrity_damaged: "fail",
  disk_free: "ok",
  disk_low: "warn",
  disk_full: "fail",
  clock_plausible: "ok",
  clock_implausible: "fail",
  cache_distrusted: "warn",
  port_free: "ok",
  port_ours: "ok",
  port_taken: "fail",
  port_unusable: "fail",
  gateway_ready: "ok",
  gateway_none: "warn",
  gateway_draining: "warn",
  gateway_silent: "warn",
  gateway_unconfirmed: "fail",
  gateway_behind: "fail",
  gateway_stale: "fail",
  gateway_dropped_usage: "warn",
  gateway_out_of_files: "warn",
  gateway_few_files: "warn",
  gateway_dumps_core: "warn",
  gateway_untrusted_proxy: "warn",
  settings_invalid: "fail",
  public_url_set: "ok",
  public_url_default: "warn",
  public_url_plain_http: "warn",
  public_url_answers: "ok",
  public_url_not_ready: "warn",
  public_url_unreachable: "fail",
  public_url_redirects: "fail",
  public_url_no_gateway: "fail",
  public_url_not_aigw: "fail",
  public_url_other_store: "fail",
  public_url_mismatch: "fail",
  public_url_unproven: "fail",
  certificate_valid: "ok",
  certificate_ends_soon: "warn",
  certificate_expired: "fail",
  certificate_wrong_name: "fail",
  certificate_untrusted: "fail",
  smtp_unset: "ok",
  smtp_answers: "ok",
  smtp_unreachable: "fail",
  smtp_refuses: "fail",
  unsent_waiting: "ok",
  unsent_old: "warn",
  unsent_loose: "fail",
  service_none: "warn",
  service_answers: "ok",
  service_failing: "warn",
  service_fails_calls: "warn",
  service_silent: "warn",
  service_unread: "warn",
  service_estimated: "warn",
  service_unreachable: "fail",
  service_untrusted: "fail",
  service_invalid: "fail",
  service_target_down: "warn",
  service_disabled: "warn",
  service_busy: "warn",
  jobs_kept: "ok",
  jobs_apart: "warn",
  jobs_stuck: "warn",
  calls_counted: "ok",
  calls_refused: "warn",
  check_unfinished: "warn",
} as const;

export type FindingCode = keyof typeof FINDINGS;

/** What a check says: a finding whose level follows from its code. `command` may be a step in words. */
export type Found = Omit<Finding<FindingCode>, "severity"> & { readonly about: string };

const SEVERITIES: Readonly<Record<Level, Severity>> = { ok: "fine", warn: "warning", fail: "blocked" };

export const levelOf = ({ code }: Found): Level => FINDINGS[code];

export const asFinding = (found: Found): Finding<FindingCode> => ({ ...found, severity: SEVERITIES[levelOf(found)] });

/** One thing looked at. It throws nothing that it can put into words. */
export type Check = () => Promise<readonly Found[]> | readonly Found[];
