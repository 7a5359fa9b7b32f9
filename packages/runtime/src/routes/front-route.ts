import type { Handler } from "hono";
import type { GatewayEnv } from "../gateway-env.ts";

/** A person who opens the bare address in a browser is led to the guide; to a program there is nothing, as elsewhere. */
export const frontRoute =
  (guidePath: () => Promise<string>): Handler<GatewayEnv> =>
  async (c) => {
    const answer = asksForPage(c.req.header("Accept")) ? c.redirect(await guidePath()) : await c.notFound();
    // On both: caches must not hand one out for the other.
    answer.headers.set("Vary", "Accept");
    return answer;
  };

/** Browsers name HTML; curl and HTTP libraries take anything, and are not to be sent to a page. */
const asksForPage = (accept = ""): boolean =>
  accept.split(",").some((range) => /^\s*text\/html\s*(;(?!\s*q=0(\.0*)?\s*$).*)?$/i.test(range));
