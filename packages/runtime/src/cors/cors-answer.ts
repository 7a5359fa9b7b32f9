import { ANSWER_FIELDS } from "../gate/answer-fields.ts";

/**
 * What the answer to one request says of CORS (https://fetch.spec.whatwg.org/#http-cors-protocol). Made once for each
 * policy and origin, and shared by all requests from there.
 */
export interface CorsAnswer {
  /** On the gateway's own answers: name, value, name, value … */
  readonly own: readonly string[];
  /** On the service's answers, as far as the gateway speaks for it. */
  readonly passed: readonly string[];
  /** What stays of the service's own `Access-Control-*`; `exposed`: the names of fields it lets pages read. */
  readonly kept: "all" | "exposed" | "none";
  /** On the answer to a preflight; undefined where the gateway allows nothing, and the request is one like any other. */
  readonly preflight: readonly string[] | undefined;
  /** The service answers preflights itself. */
  readonly isUpstreams: boolean;
}

/** CORS is off: nobody says anything, and a service may say what it wants. */
export const NO_CORS: CorsAnswer = { own: [], passed: [], kept: "all", preflight: undefined, isUpstreams: false };

/** Fields of ours that a page could not read without being told so. */
const EXPOSED: string = ["X-Request-ID", ...ANSWER_FIELDS, "Retry-After", "WWW-Authenticate"].join(", ");

export const CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/**
 * How long browsers remember a preflight, seconds; Chromium's upper bound. It is no right: what a page may read is said
 * by every answer anew.
 */
const MAX_AGE_S = 7200;

/** @param vary the answer differs by Origin, so that a cache must not give it to another page */
const allowed = (origin: string, vary: readonly string[]): CorsAnswer => {
  const fields = ["Access-Control-Allow-Origin", origin, ...vary];
  const answer = [...fields, "Access-Control-Expose-Headers", EXPOSED];
  return {
    own: answer,
    passed: answer,
    kept: "exposed",
    preflight: [...fields, "Access-Control-Allow-Methods", CORS_METHODS, "Access-Control-Max-Age", String(MAX_AGE_S)],
    isUpstreams: false,
  };
};

/** The same of an answer with fields that others do not have: pages may read these, too, where they may read ours. */
export const exposing = (own: readonly string[], ...names: readonly string[]): readonly string[] =>
  own.map((value, index) =>
    own[index - 1] === "Access-Control-Expose-Headers" ? [value, ...names].join(", ") : value,
  );

const VARY = ["Vary", "Origin"];
const NOT_ALLOWED: CorsAnswer = { own: VARY, passed: VARY, kept: "none", preflight: undefined, isUpstreams: false };

/** Whom the gateway answers what. */
export interface CorsPolicy {
  /** @param origin the request's `Origin` */
  answerTo(origin: string | undefined): CorsAnswer;
}

/** The same for everybody. */
const always = (answer: CorsAnswer): CorsPolicy => ({ answerTo: () => answer });

const OFF: CorsPolicy = always(NO_CORS);
const ANY: CorsPolicy = always(allowed("*", []));

class ListPolicy implements CorsPolicy {
  readonly #answers: ReadonlyMap<string, CorsAnswer>;

  constructor(origins: readonly string[]) {
    this.#answers = new Map(origins.map((origin) => [origin, allowed(origin, VARY)]));
  }

  answerTo(origin: string | undefined): CorsAnswer {
    return (origin === undefined ? undefined : this.#answers.get(origin)) ?? NOT_ALLOWED;
  }
}

/** @param origins as `cors-origins` is stored; undefined and `none`: CORS is off */
export const corsPolicy = (origins: string | undefined): CorsPolicy => {
  if (origins === undefined || origins === "none") return OFF;
  return origins === "*" ? ANY : new ListPolicy(origins.split(","));
};

/** A service that speaks CORS itself. What the gateway has to say to its callers is said as the setting has it. */
export const upstreamsPolicy = (setting: CorsPolicy): CorsPolicy => {
  const known = new Map<CorsAnswer, CorsAnswer>();
  const answerTo = (origin: string | undefined): CorsAnswer => {
    const ours = setting.answerTo(origin);
    const answer = known.get(ours) ?? { ...NO_CORS, own: ours.own, isUpstreams: true };
    known.set(ours, answer);
    return answer;
  };
  return { answerTo };
};
