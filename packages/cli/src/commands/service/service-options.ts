import type { HeaderInput } from "@aigw/core";
import type { JobsPatch } from "@aigw/core/acts";
import { parseServiceCors } from "@aigw/core/config";
import { parseCallbackOrigins, parseKeep } from "@aigw/core/jobs";
import { metersInWords, parseMeters } from "@aigw/core/meters";
import { parseReserves, reservesInWords } from "@aigw/core/quotas";
import { parseDescription, parseDocsUrl, parseDuration, parseExample } from "@aigw/core/services";
import type { Command } from "commander";
import { collect } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { flag } from "../../app/flag.ts";
import { exampleIn } from "./example-in.ts";
import { parseHeaderEnv } from "./header-env.ts";

export const JOBS = "Jobs:";

export interface ServiceFactOptions {
  readonly headerEnv?: readonly HeaderInput[];
  readonly timeout?: number;
  readonly idleTimeout?: number;
  /** `--no-cors-origins` of `set` makes it false. */
  readonly corsOrigins?: string | false;
  /** `--no-description` and so on of `set` make these false. */
  readonly description?: string | false;
  readonly example?: string | false;
  readonly docs?: string | false;
  readonly meter?: string;
  readonly askUsage?: boolean;
  readonly reserve?: string;
  readonly jobs?: boolean;
  readonly keep?: number;
  readonly jobsRetry?: boolean;
  readonly callbackOrigins?: readonly string[];
}

/** The facts of a service, for `add` and `set`. */
export const addFactOptions = (command: Command, ctx: Context): Command =>
  command
    .optionsGroup("The upstream:")
    .option(
      "--header-env <header=VARIABLE>",
      "a header for the upstream, its value from that environment variable; repeatable",
      collect((value) => parseHeaderEnv(value, ctx.env)),
    )
    .option(
      "--timeout <duration>",
      "how long the upstream may take to answer (60s)",
      flag("--timeout", (value) => parseDuration("timeout", value)),
    )
    .option(
      "--idle-timeout <duration>",
      "how long a transfer may stand still (5m)",
      flag("--idle-timeout", (value) => parseDuration("idle timeout", value)),
    )
    .optionsGroup("What its calls are worth:")
    .option(
      "--meter <meter>",
      "what reads it: openai, anthropic, ollama, json:pages=/pages, header:pages=X-Pages, request:seconds=audio; several with commas, or none",
      flag("--meter", (value) => metersInWords(parseMeters(value))),
    )
    .option(
      "--reserve <units>",
      "what a call sets aside of its client's quotas until it ends, such as output_tokens=/max_tokens,pages=1; or none",
      flag("--reserve", (value) => reservesInWords(parseReserves(value))),
    )
    .option("--ask-usage", "ask OpenAI-style streams for their totals where the client did not")
    .optionsGroup(JOBS)
    .option("--jobs", "a call with 'Prefer: respond-async' becomes a job, which outlives its connection")
    .option("--keep <duration>", "how long a job's answer is kept (24h), 1s to 30d", flag("--keep", parseKeep))
    .option("--jobs-retry", "run a job again when its gateway ended in the middle of it")
    .option(
      "--callback-origins <origins>",
      "where a job's end may be told, such as https://app.example.com; several with commas, or none",
      flag("--callback-origins", parseCallbackOrigins),
    )
    .optionsGroup("What clients see of it:")
    .option(
      "--cors-origins <origins>",
      "web pages that may call it from a browser, in place of the setting: a list of origins, *, none, or upstream: the service answers for itself",
      flag("--cors-origins", parseServiceCors),
    )
    .option("--description <text>", "what it does, for the clients' guide", flag("--description", parseDescription))
    .option(
      "--example <file|text>",
      "a call of it, for the guide; {{endpoint}} in it is the public URL",
      flag("--example", (value) => parseExample(exampleIn(value, ctx.io.cwd))),
    )
    .option("--docs <url>", "where its own documentation is", flag("--docs", parseDocsUrl))
    .optionsGroup("Options:");

export const factsOf = (
  flags: ServiceFactOptions,
): {
  readonly headers?: readonly HeaderInput[];
  readonly timeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly corsOrigins?: string;
  readonly description?: string;
  readonly example?: string;
  readonly docsUrl?: string;
  readonly meter?: string;
  readonly askUsage?: boolean;
  readonly reserve?: string;
  readonly jobs?: JobsPatch;
} => ({
  ...(flags.headerEnv === undefined ? {} : { headers: flags.headerEnv }),
  ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
  ...(flags.idleTimeout === undefined ? {} : { idleTimeoutMs: flags.idleTimeout }),
  ...(typeof flags.corsOrigins !== "string" ? {} : { corsOrigins: flags.corsOrigins }),
  ...(typeof flags.description !== "string" ? {} : { description: flags.description }),
  ...(typeof flags.example !== "string" ? {} : { example: flags.example }),
  ...(typeof flags.docs !== "string" ? {} : { docsUrl: flags.docs }),
  ...(flags.meter === undefined ? {} : { meter: flags.meter }),
  ...(flags.askUsage === undefined ? {} : { askUsage: flags.askUsage }),
  ...(flags.reserve === undefined ? {} : { reserve: flags.reserve }),
  ...jobsOf(flags),
});

const jobsOf = ({ jobs, keep, jobsRetry, callbackOrigins }: ServiceFactOptions): { readonly jobs?: JobsPatch } => {
  const patch: JobsPatch = {
    ...(jobs !== undefined && { on: jobs }),
    ...(keep !== undefined && { keepMs: keep }),
    ...(jobsRetry !== undefined && { retry: jobsRetry }),
    ...(callbackOrigins !== undefined && { callbackOrigins }),
  };
  return Object.keys(patch).length === 0 ? {} : { jobs: patch };
};
