import { findService } from "@aigw/core/acts";
import { mayCall, readPlans, termsAmong } from "@aigw/core/plans";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { runningGateways } from "../../app/who-runs.ts";
import { serviceJson } from "../../json/service.ts";
import { renderFields } from "../../terminal/output/fields.ts";
import { jobsInWords } from "../../terminal/output/job-rules.ts";
import { pricesInWords } from "../../terminal/output/prices.ts";
import { formatDuration, when } from "../../terminal/output/time.ts";
import { reachFields, targetFields } from "./reach-fields.ts";
import { existingName } from "./service-name.ts";

export const command = (ctx: Context): Command =>
  describe("show", "Show one service: its headers by name, never their values.", [
    ["aigw service show ocr", "where it goes and who may call it"],
    ["aigw service show ocr --json | jq -r .service.url", "one field"],
  ])
    .argument("[name]", "the service's name")
    .usage("<name>")
    .action(async (given: string | undefined) => run({ name: await existingName(ctx, given, "show") }, ctx));

export const run = ({ name }: { readonly name: string }, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store: { control, traffic } }) => {
    const service = await findService(control, name);
    const gateways = await runningGateways(traffic);
    const clients = await control.clients();
    const plans = await readPlans(control, clients);
    const callers = clients.filter((client) => mayCall(termsAmong(client, plans), name)).length;
    await ctx.out.answer({
      json: () => ({ service: serviceJson(service, gateways) }),
      quiet: () => service.name,
      text: (view) =>
        renderFields(view, [
          ["Name", service.name],
          ["Id", service.id],
          ["Path", `/api/${service.name}`],
          ...targetFields(view, service, gateways),
          ["Timeout", formatDuration(service.timeoutMs)],
          ["Idle timeout", formatDuration(service.idleTimeoutMs)],
          ["Headers", service.headers.map((header) => `${header.name} (sealed)`).join(", ")],
          ...reachFields(service),
          ["CORS origins", service.corsOrigins ?? "as the setting cors-origins says"],
          ["Meter", service.meter ?? ""],
          ["Totals of streams", service.askUsage === true ? "asked for" : ""],
          ["Reserve", service.reserve ?? ""],
          ["Prices", pricesInWords(service)],
          ["Jobs", jobsInWords(service)],
          ["Description", service.description ?? ""],
          ["Example", service.example === undefined ? "" : (service.example.split("\n", 1)[0] ?? "")],
          ["Documentation", service.docsUrl ?? ""],
          ["Clients", `${callers} of ${clients.length} may call it`],
          ["Created", when(view, service.createdAt)],
        ]),
    });
  });
