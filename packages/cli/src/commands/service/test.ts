import { findClient, findService } from "@aigw/core/acts";
import { type Client, standingOf } from "@aigw/core/clients";
import { AigwError } from "@aigw/core/errors";
import { mayCall, readPlans, type Terms, termsAmong } from "@aigw/core/plans";
import { FAULTS, parseUpstreamUrl, type Service, targetsOf } from "@aigw/core/services";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { fileIn } from "../../app/file-in.ts";
import { flag } from "../../app/flag.ts";
import { type TrialResult, tryTarget } from "../../doctor/try-target.ts";
import { type Field, renderFields } from "../../terminal/output/fields.ts";
import { humanBytes, humanMs } from "../../terminal/output/figures.ts";
import { existingName } from "./service-name.ts";

export interface TestOptions {
  readonly name: string;
  /** The client whose call it is to be. */
  readonly as: string | undefined;
  /** The file that is sent. */
  readonly data: string | undefined;
  readonly contentType: string | undefined;
  /** Behind `/api/<name>`. */
  readonly path: string;
  readonly target: string | undefined;
}

type Flags = Omit<TestOptions, "name">;

export const command = (ctx: Context): Command =>
  describe("test", "Send one real request to a service's targets, with its key, and see how long each stage takes.", [
    ["aigw service test ocr", "GET / of each target"],
    ["aigw service test ocr --data page.png --path /scan --as john", "a POST to the first of them, as john's call"],
    [
      "aigw service test ocr --target http://gpu2:9000 --json",
      "of one target, for a script: exit code 1 when it fails",
    ],
  ])
    .argument("[name]", "the service's name")
    .usage("<name> [options]")
    .option("--as <client>", "as a call of this client: what it would see")
    .option("--data <file>", "send this with POST")
    .option("--content-type <type>", "what that is (by the file's name, or application/octet-stream)")
    .option("--path <path>", "what stands behind /api/<name>", flag("--path", parsePath), "")
    .option("--target <url>", "this target alone", flag("--target", parseUpstreamUrl))
    .action(async (given: string | undefined, flags: Flags) => {
      await run({ ...flags, name: await existingName(ctx, given, "test") }, ctx);
    });

const parsePath = (value: string): string => {
  if (/^[/?][!-~]*$/.test(value) && !value.includes("#")) return value;
  throw new AigwError("invalid_value", `path '${value}' is not valid: use one such as /v1/scan.`);
};

const TYPES: Readonly<Record<string, string>> = {
  json: "application/json",
  txt: "text/plain; charset=utf-8",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  pdf: "application/pdf",
  wav: "audio/wav",
  mp3: "audio/mpeg",
};

interface Tried {
  readonly url: string;
  readonly result: TrialResult;
}

export const run = (options: TestOptions, ctx: Context): Promise<void> =>
  ctx.withHome("existing", async ({ store: { control }, sealer, clock }) => {
    const { name, as, data, path: rest } = options;
    const service = await findService(control, name);
    const client = as === undefined ? undefined : await findClient(control, as);
    const terms = client && termsAmong(client, await readPlans(control, [client]));
    const content = data === undefined ? undefined : fileIn(data, { from: "--data", cwd: ctx.io.cwd });
    const method = content === undefined ? "GET" : "POST";
    const contentType =
      options.contentType ?? TYPES[data?.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";
    const trial = { method, rest, content, contentType, client: as ?? "" };
    const tried: Tried[] = [];
    for (const url of urlsOf(service, options))
      tried.push({ url, result: await tryTarget(sealer, service, url, trial) });
    const refused = refusalOf(service, client, terms, clock.now());
    await ctx.out.answer({
      json: () => ({
        service: name,
        request: { method, path: `/api/${name}${rest}`, client: as ?? null },
        refused: refused ?? null,
        targets: tried.map(targetJson),
      }),
      quiet: () => tried.map(({ result }) => String(refused?.status ?? result.client.status)),
      text: (view) =>
        [
          ...tried.map((one) =>
            renderFields(view, [
              ["Target", one.url],
              ["Request", `${method} ${rest || "/"}`],
              ...stageFields(one),
              ["Client sees", clientWords(one)],
            ]),
          ),
          ...(refused === undefined
            ? []
            : [`Through the gateway the client would see: ${refused.status} ${refused.code}, ${refused.why}`]),
        ].join("\n\n"),
    });
    const [failed] = tried.filter(({ result }) => result.fault !== undefined);
    if (failed?.result.fault !== undefined) throw problemOf(name, failed.url, failed.result.fault);
  });

const urlsOf = (service: Service, { data, target, name }: TestOptions): readonly string[] => {
  const all = targetsOf(service);
  if (target !== undefined) {
    if (all.some(({ url }) => url === target)) return [target];
    throw new AigwError(
      "not_found",
      `${name} has no target ${target}. Its targets: ${all.map(({ url }) => url).join(", ")}`,
    );
  }
  const urls = all.map(({ url }) => url);
  // Data may be work for the service, or a change: once is enough.
  return data === undefined ? urls : urls.slice(0, 1);
};

/** What keeps a call from getting to the service at all. */
const refusalOf = (
  { name, disabled }: Service,
  client: Client | undefined,
  terms: Terms | undefined,
  now: number,
): { readonly status: number; readonly code: string; readonly why: string } | undefined => {
  if (client !== undefined && standingOf(client, now) !== "active") {
    return { status: 401, code: "invalid_token", why: `because ${client.name} is ${standingOf(client, now)}.` };
  }
  if (client !== undefined && terms !== undefined && !mayCall(terms, name)) {
    return { status: 403, code: "insufficient_scope", why: `because ${client.name} may not call ${name}.` };
  }
  if (disabled === undefined) return undefined;
  return { status: 503, code: "service_disabled", why: `because ${name} is out of use: aigw service enable ${name}` };
};

const STAGES = [
  ["name", "Name"],
  ["connect", "Connection"],
  ["tls", "TLS"],
  ["firstByte", "First byte"],
  ["end", "End"],
] as const;

/** How long each stage took; what there was none of is left out. */
const stageFields = ({ result: { stages, address } }: Tried): readonly Field[] => {
  let before = 0;
  return STAGES.flatMap(([stage, label]): readonly Field[] => {
    const at = stages[stage];
    if (at === undefined) return [];
    const took = at - before;
    before = at;
    return [[label, `${humanMs(took)}${stage === "connect" && address !== "" ? `, to ${address}` : ""}`]];
  });
};

const clientWords = ({ result: { client } }: Tried): string => {
  const { status, problem, contentType, bytes, isBroken } = client;
  if (problem !== undefined) return `${status} ${problem.code}: ${problem.detail}`;
  const kind = contentType === "" ? "" : `, ${contentType}`;
  return `${status}${kind}, ${humanBytes(bytes)}${isBroken ? ", and then it breaks off" : ""}`;
};

const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10);

/** Stages as milliseconds since the beginning. */
const targetJson = ({ url, result }: Tried): Readonly<Record<string, unknown>> => {
  const { stages, address, client, fault } = result;
  return {
    url,
    address: address || null,
    nameMs: rounded(stages.name),
    connectMs: rounded(stages.connect),
    tlsMs: rounded(stages.tls),
    firstByteMs: rounded(stages.firstByte),
    endMs: rounded(stages.end),
    client: {
      status: client.status,
      code: client.problem?.code ?? null,
      detail: client.problem?.detail ?? null,
      contentType: client.contentType || null,
      bytes: client.bytes,
      brokenOff: client.isBroken,
    },
    fault: fault?.fault ?? null,
    remedy: fault === undefined ? null : FAULTS[fault.fault].remedy,
  };
};

const problemOf = (name: string, url: string, { fault, code }: NonNullable<TrialResult["fault"]>): AigwError => {
  const { what, remedy } = FAULTS[fault];
  const words = [fault, ...(code === "" ? [] : [code])].join(", ");
  return new AigwError("failed", `${url} of ${name} gave no whole answer: ${what} (${words}). ${remedy}`, {
    details: { fault, url },
  });
};
