import { refuse } from "../proxy/lingering-close.ts";
import { answer } from "./answer.ts";
import type { Route } from "./dispatch.ts";

/** Caches must not hand one answer out for the other. */
const BY_ACCEPT = ["Vary", "Accept"];

/**
 * A person who opens the bare address in a browser is led to the guide; to a program there is nothing, as elsewhere.
 * @param notFound what a program is told
 */
export const frontRoute = (guidePath: () => Promise<string>, notFound: string): Route => ({
  methods: "GET, HEAD",
  handle: async (request) => {
    const { incoming, outgoing, requestId, cors } = request;
    if (asksForPage(incoming.headers.accept)) {
      answer(request, 302, "", ["Location", await guidePath(), ...BY_ACCEPT]);
    } else {
      refuse(incoming, outgoing, { code: "not_found", detail: notFound, requestId }, [...BY_ACCEPT, ...cors.own]);
    }
  },
});

/** Browsers name HTML; curl and HTTP libraries take anything, and are not to be sent to a page. */
const asksForPage = (accept = ""): boolean =>
  accept.split(",").some((range) => /^\s*text\/html\s*(;(?!\s*q=0(\.0*)?\s*$).*)?$/i.test(range));
