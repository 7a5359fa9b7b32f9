import { effectiveSettings, type GuideFacts, guideFacts } from "@aigw/core/onboarding";
import type { ControlFollower } from "../follow/control-follower.ts";
import { openApiDocument } from "../openapi/document.ts";
import { ownPublicUrl } from "../own-url.ts";
import { type PublicDocument, publicDocument } from "../routes/document-route.ts";
import { GUIDE_POLICY, guidePage } from "./guide-page.ts";

export interface ClientDocsOptions {
  readonly follower: Pick<ControlFollower, "rev" | "settings" | "services">;
  /** Settings in it come before stored ones. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stands in for a public URL that nobody has set. */
  readonly ownUrl: () => string;
}

/** What anybody may read about this gateway, as of the revision in force. Made when asked for, once a revision. */
export class ClientDocs {
  readonly #options: ClientDocsOptions;
  #rev = -1;
  #guide: PublicDocument | undefined;
  #openApi: PublicDocument | undefined;

  constructor(options: ClientDocsOptions) {
    this.#options = options;
  }

  get guide(): PublicDocument {
    this.#forgetOld();
    this.#guide ??= publicDocument(guidePage(this.#facts()), [
      "Content-Type",
      "text/html; charset=utf-8",
      "Content-Security-Policy",
      GUIDE_POLICY,
    ]);
    return this.#guide;
  }

  get openApi(): PublicDocument {
    this.#forgetOld();
    this.#openApi ??= publicDocument(JSON.stringify(openApiDocument(this.#facts()), undefined, 2), [
      "Content-Type",
      "application/json",
    ]);
    return this.#openApi;
  }

  /** The guide's path as clients see it: a proxy in front may have given the gateway a folder. */
  get guidePath(): string {
    return `${new URL(this.#facts().publicUrl).pathname.replace(/\/$/, "")}/guide`;
  }

  /** Whatever changed, be it a client: making a page again costs less than knowing what it depends on. */
  #forgetOld(): void {
    const { rev } = this.#options.follower;
    if (rev === this.#rev) return;
    this.#rev = rev;
    this.#guide = undefined;
    this.#openApi = undefined;
  }

  #facts(): GuideFacts {
    const { follower, env, ownUrl } = this.#options;
    const services = [...follower.services.values()];
    return guideFacts(services, effectiveSettings(follower.settings, env), ownPublicUrl(ownUrl()));
  }
}
