import { type Answer, problemIn } from "./reply.ts";
import type { Shell } from "./shell.ts";

/** Who answers at the public URL. */
export type Seen =
  | { readonly kind: "gateway" }
  /** Nobody, as far as can be told from here. */
  | { readonly kind: "silent"; readonly reason: string }
  /** Somebody whom no credentials must be sent to, or nobody who could take them. */
  | { readonly kind: "foreign"; readonly reason: string };

/** Asks without any credentials; an aigw gateway refuses a GET of its token address in words of its own. */
export const lookAt = async (shell: Shell, publicUrl: string): Promise<Seen> => {
  const reply = await shell.paste(`curl "${publicUrl}/auth/token"`);
  if (reply.kind !== "answer") {
    if (reply.kind === "silent") return { kind: "silent", reason: reply.reason };
    return { kind: "foreign", reason: `${publicUrl} does not answer as a client needs it (${reply.reason}).` };
  }
  if (problemIn(reply) !== undefined) return { kind: "gateway" };
  return { kind: "foreign", reason: foreign(publicUrl, reply) };
};

const foreign = (publicUrl: string, { status, headers }: Answer): string => {
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location !== undefined) {
    const target = URL.canParse(location, publicUrl) ? new URL(location, publicUrl).origin : "another address";
    return `${publicUrl} redirects to ${target}, which the client's commands do not follow. Is that the address? aigw config set public-url ${target}`;
  }
  const software = headers.get("server")?.slice(0, 60);
  return `What answers at ${publicUrl} is not an aigw gateway (${status}${software === undefined ? "" : `, ${software}`}).`;
};
