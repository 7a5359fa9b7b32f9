import { readReviewFacts } from "@aigw/core/insight";
import type { Command } from "commander";
import { carried } from "../app/carry-flags.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { zoneOf } from "../app/settings.ts";
import type { When } from "../findings/finding.ts";
import { type ReviewFinding, reviewClients } from "../findings/review-clients.ts";
import { reviewServices } from "../findings/review-services.ts";
import { findingJson } from "../json/finding.ts";
import { renderFindings } from "../terminal/output/findings.ts";
import { rfc3339, when } from "../terminal/output/time.ts";
import { counted } from "../terminal/output/words.ts";

export const command = (ctx: Context): Command =>
  describe(
    "review",
    "List what an admin should look at: unused, idle, expiring clients, old passwords, tight limits.",
    [
      ["aigw review", "what there is to do, each with its command"],
      [
        "aigw review --json | jq -r '.findings[] | select(.code == \"idle\") | .client'",
        "who has been idle for 30 days",
      ],
      ["aigw review -q", "the clients there is something to say about, a line each"],
    ],
  ).action(() => run(ctx));

/** Exit 0 whatever it finds: a finding is no failure of the look. */
export const run = (ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store, clock }) => {
    const facts = await readReviewFacts(store, clock, await zoneOf(ctx, store.control));
    const findings = (at: When): readonly ReviewFinding[] =>
      reviewClients(facts, at).map((finding) => carried(finding, ctx.globals));
    const ofServices = reviewServices(facts).map((finding) => carried(finding, ctx.globals));
    await ctx.out.answer({
      json: () => ({
        clients: facts.clients.length,
        findings: [
          ...findings(rfc3339).map((finding) => ({ client: finding.client, service: null, ...findingJson(finding) })),
          ...ofServices.map((finding) => ({ client: null, service: finding.service, ...findingJson(finding) })),
        ],
      }),
      quiet: () => [...new Set(findings(rfc3339).map(({ client }) => client))],
      text: (view) => renderFindings(view, [...findings((at) => when(view, at)), ...ofServices]),
    });
    const length = findings(rfc3339).length + ofServices.length;
    const clients = `${counted(facts.clients.length, "client")} looked at`;
    await ctx.out.note(length === 0 ? `${clients}: nothing to do.` : `${clients}, ${length} to look into.`);
  });
