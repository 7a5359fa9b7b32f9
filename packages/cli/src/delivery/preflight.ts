import type { Service } from "@aigw/core";
import { AigwError } from "@aigw/core/errors";
import { Interrupted } from "../app/cli-error.ts";
import type { Context } from "../app/context.ts";
import { lookAtService } from "../doctor/checks/services.ts";
import { levelOf } from "../doctor/finding.ts";
import { tryServer } from "./mail/nodemailer.ts";
import type { SmtpServer } from "./mail/smtp-server.ts";

/** Before anything is changed. @throws AigwError `failed` when the server would not take a message; Interrupted */
export const tryMailServer = async (server: SmtpServer, stop: AbortSignal): Promise<void> => {
  const refusal = await tryServer(server, stop);
  if (stop.aborted) throw new Interrupted("Interrupted. Nothing was changed.");
  if (refusal !== undefined) {
    const why = refusal.why.replace(/[.?]$/, (end) => (end === "?" ? "?" : ""));
    throw new AigwError("failed", `The mail server cannot be used: ${why}. Nothing was changed.`);
  }
};

/**
 * Looks at each service once, from this machine, and warns of those that give no answer: whoever is asked next can still
 * say no. No address is named: what onboarding says may be passed on.
 * @returns the names of those
 */
export const warnOfServices = async (ctx: Context, services: readonly Service[]): Promise<ReadonlySet<string>> => {
  const findings = await Promise.all(services.map((service) => lookAtService(service)));
  // Of several targets one is enough for calls to succeed.
  const down = services.filter((_, index) => findings[index]?.every((finding) => levelOf(finding) !== "ok"));
  for (const { name } of down) {
    await ctx.out.warn(`${name} does not answer as it should; calls to it will fail until it does. See: aigw doctor`);
  }
  return new Set(down.map(({ name }) => name));
};
