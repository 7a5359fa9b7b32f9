import { askForProof, type Identity, refusalIn } from "../gateway-proof.ts";
import { type Answer, problemIn } from "./reply.ts";
import type { Shell } from "./shell.ts";

/** Who answers at the public URL. */
export type Seen =
  /** One that has proven that it holds this store's key. */
  | { readonly kind: "gateway" }
  /** Nobody, as far as can be told from here. */
  | { readonly kind: "silent"; readonly reason: string }
  /** Somebody whom no credentials must be sent to, or nobody who could take them. */
  | { readonly kind: "foreign"; readonly reason: string };

/** Asks without any credentials, the way in which a client's would be sent. */
export const lookAt = async (shell: Shell, publicUrl: string, identity: Identity): Promise<Seen> => {
  const { reply, verdict } = await askForProof(
    identity,
    publicUrl,
    (url) => shell.paste(`curl "${url}"`),
    (answer) => (answer.kind === "answer" ? answer : undefined),
  );
  if (verdict.kind === "proven") return { kind: "gateway" };
  if (reply.kind !== "answer") {
    if (reply.kind === "silent") return { kind: "silent", reason: reply.reason };
    return { kind: "foreign", reason: `${publicUrl} does not answer as a client needs it (${reply.reason}).` };
  }
  return { kind: "foreign", reason: refusalIn(publicUrl, verdict) ?? foreign(publicUrl, reply) };
};

const foreign = (publicUrl: string, answer: Answer): string => {
  const { status, headers } = answer;
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location !== undefined) {
    const target = URL.canParse(location, publicUrl) ? new URL(location, publicUrl).origin : "another address";
    return `${publicUrl} redirects to ${target}, which the client's commands do not follow. Is that the address? aigw config set public-url ${target}`;
  }
  if (problemIn(answer) !== undefined) {
    return `The aigw that answers at ${publicUrl} cannot prove that it holds this store's key: it is of an earlier version. Restart it with this one.`;
  }
  const software = headers.get("server")?.slice(0, 60);
  return `What answers at ${publicUrl} is not an aigw gateway (${status}${software === undefined ? "" : `, ${software}`}).`;
};
