import { AigwError } from "@aigw/core/errors";
import { examineHome } from "@aigw/core/home";
import type { Command } from "commander";
import { carried } from "../app/carry-flags.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { flag } from "../app/flag.ts";
import { locateHome } from "../app/home.ts";
import { parsePort } from "../app/parse-value.ts";
import type { Address } from "../doctor/checks/port.ts";
import { checksOf } from "../doctor/checks-of.ts";
import { asFinding, type Found, levelOf } from "../doctor/finding.ts";
import { runChecks } from "../doctor/run-checks.ts";
import { renderFindings } from "../terminal/output/findings.ts";
import { renderTable } from "../terminal/output/table.ts";
import type { View } from "../terminal/output/view.ts";

/** Where `aigw serve` would be told to listen. */
export type DoctorOptions = Partial<Address>;

/** A locked store is a finding, not something to wait for. */
const BUSY_TIMEOUT_MS = 500;

export const command = (ctx: Context): Command =>
  describe("doctor", "Look for what is wrong or soon will be, and say what fixes it. Exit code 1 if anything fails.", [
    ["aigw doctor", "home, store, gateways, public URL and certificate, mail, services"],
    ["aigw doctor --port 443 --host 0.0.0.0", "before: aigw serve --port 443 --host 0.0.0.0"],
    ["aigw doctor --json | jq -r '.findings[] | select(.level != \"ok\") | .code'", "for monitoring"],
  ])
    .option("--host <address>", "where the gateway is to listen; else 127.0.0.1")
    .option("--port <number>", "the port it is to take; else 8080", flag("--port", parsePort))
    .action((options: DoctorOptions) => run(options, ctx));

export const run = async (options: DoctorOptions, ctx: Context): Promise<void> => {
  const location = locateHome(ctx);
  const home = await examineHome({ ...location, clock: ctx.clock, busyTimeoutMs: BUSY_TIMEOUT_MS });
  try {
    await report(await runChecks(checksOf(ctx, location, home, options)), ctx);
  } finally {
    await home.store?.close();
  }
};

/** On a terminal a finding a paragraph; in a pipe a finding a line. */
export const renderDoctor = (view: View, findings: readonly Found[]): Promise<string> | string =>
  view.isTerminal
    ? renderFindings(view, findings.map(asFinding))
    : renderTable(
        view,
        ["Level", "About", "Found", "Fix"].map((title) => ({ title })),
        findings.map((finding) => [levelOf(finding), finding.about, finding.message, finding.command ?? ""]),
      );

const report = async (found: readonly Found[], ctx: Context): Promise<void> => {
  const findings = found.map((finding) => carried(finding, ctx.globals));
  const count = (level: string): number => findings.filter((finding) => levelOf(finding) === level).length;
  const failed = count("fail");
  await ctx.out.answer({
    json: () => ({
      ok: failed === 0,
      counts: { ok: count("ok"), warn: count("warn"), fail: failed },
      findings: findings.map((finding) => ({
        level: levelOf(finding),
        code: finding.code,
        about: finding.about,
        message: finding.message,
        fix: finding.command ?? null,
      })),
    }),
    quiet: () => findings.filter((finding) => levelOf(finding) !== "ok").map(({ code }) => code),
    text: (view) => renderDoctor(view, findings),
  });
  if (failed > 0)
    throw new AigwError(
      "failed",
      `${failed} of ${findings.length} findings ${failed === 1 ? "is a failure" : "are failures"}.`,
    );
  await ctx.out.note(count("warn") === 0 ? "Nothing is wrong." : `Nothing fails; ${count("warn")} to look at.`);
};
