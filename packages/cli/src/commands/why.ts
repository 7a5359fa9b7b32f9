import { AigwError } from "@aigw/core/errors";
import {
  type ClientFinding,
  explainClient,
  explainRequest,
  type RequestFinding,
  readClientFacts,
  type When,
} from "@aigw/core/insight";
import { DAY_MS, type UsageEvent } from "@aigw/core/usage";
import type { Command } from "commander";
import { need } from "../ask.ts";
import { describe } from "../command.ts";
import type { Context } from "../context.ts";
import { flag } from "../flag.ts";
import type { Home } from "../home.ts";
import { findingJson } from "../json/finding.ts";
import { usageEventJson } from "../json/usage.ts";
import { renderFields } from "../output/fields.ts";
import { humanBytes, humanMs } from "../output/figures.ts";
import { renderFindings } from "../output/findings.ts";
import { rfc3339, when } from "../output/time.ts";
import type { View } from "../output/view.ts";
import { parseSince } from "../parse-value.ts";

export interface WhyOptions {
  readonly subject: string;
  /** How far back a request is looked for, milliseconds since the epoch. */
  readonly since: number;
}

export const command = (ctx: Context): Command =>
  describe("why", "Say why a client's calls succeed or fail now, or what became of one request.", [
    ["aigw why john", "what stands in john's way, and the command that changes it"],
    ["aigw why 0f8c1d5e-7a41-4a53-9c25-0c8a3f2b9d10", "one request, by its X-Request-ID"],
    ["aigw why john --json | jq -r '.findings[].code'", "for scripts: revoked, limit_reached, fine …"],
  ])
    .argument("[subject]", "a client's name, or a request id")
    .usage("<client | request-id> [options]")
    .option(
      "--since <when>",
      "how far back a request is looked for; 24h unless given",
      flag("--since", (value) => parseSince(value, ctx.clock.now())),
    )
    .action(async (given: string | undefined, { since }: { readonly since?: number }) => {
      const subject = await need(ctx, given, {
        argument: "<client | request-id>",
        usage: "aigw why <client | request-id>",
        question: "Which client or request?",
        parse: (value) => value,
      });
      await run({ subject, since: since ?? ctx.clock.now() - DAY_MS }, ctx);
    });

export const run = ({ subject, since }: WhyOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    if ((await home.store.control.client(subject)) !== undefined) return whyClient(subject, ctx, home);
    const events = await home.store.traffic.usageOfRequest(subject, since);
    if (events.length === 0) throw notFound(subject, since);
    await whyRequest(events, ctx, home);
  });

const notFound = (subject: string, since: number): AigwError =>
  new AigwError(
    "not_found",
    `There is neither a client '${subject}' nor a request of that id since ${rfc3339(since)}. List clients: aigw client list; look further back for a request: --since 30d. Calls without a genuine token belong to no client and are not recorded; of a client's refused calls beyond 60 in a minute the first of each second is.`,
  );

const whyClient = async (name: string, ctx: Context, { store, clock }: Home): Promise<void> => {
  const facts = await readClientFacts(store, clock, name);
  const findings = (at: When): readonly ClientFinding[] => explainClient(facts, at);
  await ctx.out.answer({
    json: () => ({ client: name, request: null, findings: findings(rfc3339).map(findingJson) }),
    quiet: () => findings(rfc3339).map(({ code }) => code),
    text: (view) =>
      renderFindings(
        view,
        findings((at) => when(view, at)),
      ),
  });
};

const whyRequest = async (events: readonly UsageEvent[], ctx: Context, { store, clock }: Home): Promise<void> => {
  const [event] = events;
  if (event === undefined) return;
  const client = await store.control.client(event.client);
  const finding: RequestFinding = explainRequest(event, client, clock.now());
  await ctx.out.answer({
    json: () => ({ client: event.client, request: usageEventJson(event), findings: [findingJson(finding)] }),
    quiet: () => finding.code,
    text: (view) => `${renderFields(view, fieldsOf(view, event))}\n\n${renderFindings(view, [finding])}`,
  });
  if (events.length > 1) {
    await ctx.out.note(
      `${events.length} calls bear this id, which clients may choose themselves: this is the latest. All of them: aigw usage export`,
    );
  }
};

const fieldsOf = (view: View, event: UsageEvent): readonly (readonly [string, string])[] => [
  ["Request", event.requestId],
  ["When", when(view, event.at)],
  ["Client", event.client],
  ["Call", `${event.method} ${event.path}`],
  ["Status", event.status === 0 ? "none was sent" : String(event.status)],
  ["Outcome", event.outcome],
  ["Stands for", event.count === undefined ? "" : `${event.count} refused calls within a second; the first is shown`],
  ["Reason", event.reason ?? ""],
  ["Took", humanMs(event.latencyMs)],
  ["Service took", event.upstreamMs === undefined ? "" : humanMs(event.upstreamMs)],
  ["Bytes", `${humanBytes(event.bytesIn)} in, ${humanBytes(event.bytesOut)} out`],
];
