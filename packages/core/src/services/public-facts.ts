import { AigwError } from "../errors.ts";
import { leakIn } from "../onboarding/leak.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { openHeaders } from "./headers.ts";
import { socketOf, splitUrl, targetsOf } from "./reach.ts";
import type { Service } from "./service.ts";

/** What clients are told of a service beside its name. Anybody may read it. */
export interface PublicFacts {
  readonly description?: string;
  readonly example?: string;
  readonly docsUrl?: string;
}

const invalid = (what: string, allowed: string): AigwError =>
  new AigwError("invalid_value", `${what} is not valid: ${allowed}.`);

/** One line of 1 to 300 characters. */
export const parseDescription = (value: string): string => {
  const text = value.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (text !== "" && text.length <= 300 && !/[\u0000-\u001f\u007f\u2028\u2029]/.test(text)) return text;
  throw invalid("the description", "use 1 to 300 characters on one line");
};

export const MAX_EXAMPLE_BYTES = 8_192;

/** Plain text of 1 byte to 8 KiB; lines are ended by `\n`, and none is left empty at its beginning and end. */
export const parseExample = (value: string): string => {
  const text = value
    .replace(/^\ufeff/, "")
    .replace(/\r\n?/g, "\n")
    .replace(/^(?:[ \t]*\n)+|\s+$/g, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (text !== "" && Buffer.byteLength(text) <= MAX_EXAMPLE_BYTES && !/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) {
    return text;
  }
  throw invalid("the example", "use plain text of at most 8 KiB");
};

/** An absolute http(s) URL without user info. */
export const parseDocsUrl = (value: string): string => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "")
    return url.href;
  throw invalid("the address of the documentation", "use an absolute URL such as https://docs.example.com/ocr");
};

/**
 * An example made on the upstream itself, or copied with its key, would tell both to everybody.
 * @throws AigwError `invalid_value` that says what, and does not repeat it
 */
export const assertTellsNothing = (sealer: Sealer, service: Service): void => {
  const { name, description = "", example = "", docsUrl = "" } = service;
  const leak = leakIn([description, example, docsUrl].join("\n"), [
    ...targetsOf(service).flatMap(({ url }) => [
      { what: "the upstream's URL", value: url },
      { what: "the upstream's address", value: addressOf(url) },
    ]),
    ...openHeaders(sealer, service).map(([header, value]) => ({ what: `the ${header} of the upstream`, value })),
  ]);
  if (leak === undefined) return;
  throw new AigwError(
    "invalid_value",
    `What clients are told of ${name} holds ${leak.what}, which is not theirs to know. In an example write {{endpoint}}/api/${name} for the gateway's address.`,
  );
};

const addressOf = (url: string): string => {
  const { origin } = splitUrl(url);
  return socketOf(origin) ?? new URL(origin).host;
};
