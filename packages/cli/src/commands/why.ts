import { didYouMean } from "@aigw/core/acts";
import { AigwError } from "@aigw/core/errors";
import { type ClientFacts, RECENT_MS, readClientFacts } from "@aigw/core/insight";
import { readTerms } from "@aigw/core/plans";
import { DAY_MS, sumTallies, triedClient, type UsageEvent } from "@aigw/core/usage";
import type { Command } from "commander";
import { carried } from "../app/carry-flags.ts";
import { describe } from "../app/command.ts";
import type { Context } from "../app/context.ts";
import { flag } from "../app/flag.ts";
import type { Home } from "../app/home.ts";
import { parseSince } from "../app/parse-value.ts";
import { zoneOf } from "../app/settings.ts";
import { explainClient, recentCalls } from "../findings/explain-client.ts";
import { explainRequest } from "../findings/explain-request.ts";
import type { Finding, When } from "../findings/finding.ts";
import { findingJson } from "../json/finding.ts";
import { usageEventJson } from "../json/usage.ts";
import { tallyJson } from "../json/usage-report.ts";
import { need } from "../terminal/ask.ts";
import { renderFields } from "../terminal/output/fields.ts";
import { humanBytes, humanMs } from "../terminal/output/figures.ts";
import { renderFindings } from "../terminal/output/findings.ts";
import { rfc3339, when } from "../terminal/output/time.ts";
import type { View } from "../terminal/output/view.ts";
import { wrap } from "../terminal/output/wrap.ts";

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
        question: "Which client, or which request id?",
        parse: (value) => value,
        free: true,
        choices: async () => {
          const clients = await ctx.withControl(async (control) => control.clients());
          return clients.map(({ name, displayName = "" }) => ({ value: name, about: displayName }));
        },
      });
      await run({ subject, since: since ?? ctx.clock.now() - DAY_MS }, ctx);
    });

export const run = ({ subject, since }: WhyOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const { control, traffic } = home.store;
    if ((await control.client(subject)) !== undefined) return whyClient(subject, ctx, home);
    const events = await traffic.usageOfRequest(subject, since);
    if (events.length === 0) throw await notFound(home, subject, since);
    await whyRequest(events, ctx, home);
  });

const notFound = async ({ store: { control } }: Home, subject: string, since: number): Promise<AigwError> => {
  const [last] = await control.latestChanges({ subject, limit: 1 });
  if (last?.effects.some(({ action }) => action === "client.remove")) {
    return new AigwError(
      "not_found",
      `${subject} was removed ${rfc3339(last.at)} by ${last.actor}: there is no such client any more.`,
    );
  }
  const names = (await control.clients()).map(({ name }) => name);
  return new AigwError(
    "not_found",
    `There is neither a client '${subject}' nor a request of that id since ${rfc3339(since)}.${didYouMean(subject, names)} List clients: aigw client list; look further back for a request: --since 30d. Calls without a genuine token belong to no client and are not recorded; of a client's refused calls beyond 60 in a minute the first of each second is.`,
  );
};

const whyClient = async (name: string, ctx: Context, { store, clock }: Home): Promise<void> => {
  const facts = await readClientFacts(store, clock, name, await zoneOf(ctx, store.control));
  const findings = (at: When): readonly Finding[] =>
    explainClient(facts, at).map((finding) => carried(finding, ctx.globals));
  await ctx.out.answer({
    json: () => ({
      client: name,
      request: null,
      recent: recentJson(facts),
      findings: findings(rfc3339).map(findingJson),
    }),
    quiet: () => findings(rfc3339).map(({ code }) => code),
    text: (view) => {
      const at = (time: number): string => when(view, time);
      return [...wrap(recentCalls(facts, at), view.width), renderFindings(view, findings(at))].join("\n");
    },
  });
};

/** The calls of the last 15 minutes. */
const recentJson = ({ now, client, recent, lastLetInAt, refused }: ClientFacts): Readonly<Record<string, unknown>> => ({
  since: rfc3339(Math.max(now - RECENT_MS, client.createdAt)),
  ...tallyJson(sumTallies(recent.map(({ tally }) => tally))),
  lastLetInAt: lastLetInAt === undefined ? null : rfc3339(lastLetInAt),
  refused: refused.map(({ status, service, reason, calls, lastAt }) => ({
    status,
    service,
    reason: reason ?? null,
    calls,
    lastAt: rfc3339(lastAt),
  })),
});

const whyRequest = async (events: readonly UsageEvent[], ctx: Context, { store, clock }: Home): Promise<void> => {
  const [event] = events;
  if (event === undefined) return;
  const client = await store.control.client(triedClient(event.client) ?? event.client);
  const terms = client && (await readTerms(store.control, client));
  const services = await store.control.services();
  const explained = explainRequest({ event, client, terms, services, now: clock.now() });
  const finding = carried(explained, ctx.globals);
  await ctx.out.answer({
    json: () => ({ client: event.client, request: usageEventJson(event), findings: [findingJson(finding)] }),
    quiet: () => finding.code,
    text: (view) => `${renderFields(view, fieldsOf(view, event))}\n\n${renderFindings(view, [finding])}`,
  });
  if (events.length > 1) {
    await ctx.out.note(
      `${events.length === MOST_FOUND ? `${events.length} calls or more` : `${events.length} calls`} bear this id, which clients may choose themselves: this is the latest. All of them: aigw usage export`,
    );
  }
};

/** As many as the store gives. */
const MOST_FOUND = 10;

const fieldsOf = (view: View, event: UsageEvent): readonly (readonly [string, string])[] =>
  fieldsFor(view, event).filter(([, value]) => value !== "");

const fieldsFor = (view: View, event: UsageEvent): readonly (readonly [string, string])[] => [
  ["Request", event.requestId],
  ["When", when(view, event.at)],
  [
    "Client",
    triedClient(event.client) === undefined
      ? event.client
      : `${event.client} (aigw onboard's trial of its quick start)`,
  ],
  ["Call", `${event.method} ${event.path}`],
  ["Status", event.status === 0 ? "none was sent" : String(event.status)],
  ["Outcome", event.outcome],
  ...(event.count === undefined
    ? []
    : [["Stands for", `${event.count} refused calls within a second; the first is shown`] as const]),
  ["Reason", event.reason ?? ""],
  ["Took", humanMs(event.latencyMs)],
  ["Waited", event.queuedMs === undefined ? "" : humanMs(event.queuedMs)],
  ["Service took", event.upstreamMs === undefined ? "" : humanMs(event.upstreamMs)],
  ["Bytes", `${humanBytes(event.bytesIn)} in, ${humanBytes(event.bytesOut)} out`],
];
