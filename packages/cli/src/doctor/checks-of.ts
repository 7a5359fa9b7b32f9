import { defaultStoreUrl, type HomeExamination, masterKeyPath } from "@aigw/core/home";
import type { Context } from "../app/context.ts";
import type { HomeLocation } from "../app/home.ts";
import { settingsInForce } from "../app/settings.ts";
import { identityOf } from "../delivery/gateway-proof.ts";
import { checkCache } from "./checks/cache.ts";
import { checkCalls } from "./checks/calls.ts";
import { checkClock } from "./checks/clock.ts";
import { checkDisk } from "./checks/disk.ts";
import { checkGateways } from "./checks/gateways.ts";
import { checkHome } from "./checks/home.ts";
import { checkIntegrity } from "./checks/integrity.ts";
import { checkJobs } from "./checks/jobs.ts";
import { checkMasterKey } from "./checks/master-key.ts";
import { checkNodeVersion } from "./checks/node-version.ts";
import { type Address, checkPort } from "./checks/port.ts";
import { checkPublicUrl } from "./checks/public-url.ts";
import { checkServices } from "./checks/services.ts";
import { checkSmtp } from "./checks/smtp.ts";
import { checkStore } from "./checks/store.ts";
import { checkUnsent } from "./checks/unsent.ts";
import type { Check } from "./finding.ts";

/** Every check, in the order in which findings are shown. */
export const checksOf = (
  ctx: Context,
  location: HomeLocation,
  home: HomeExamination,
  asked: Partial<Address>,
): Readonly<Record<string, Check>> => {
  const storeUrl = location.storeUrl ?? defaultStoreUrl(location.home);
  const now = ctx.clock.now();
  const keySource = location.masterKey === undefined ? masterKeyPath(location.home) : "AIGW_MASTER_KEY";
  const settings = readSettings(ctx, home);
  return {
    node: () => [checkNodeVersion(process.versions.node)],
    home: () => checkHome(home, location.home),
    "master key": () => checkMasterKey(home, keySource),
    store: () => checkStore(home),
    integrity: () => checkIntegrity(home, storeUrl),
    disk: () => checkDisk(home),
    clock: () => checkClock(home, now),
    cache: () => checkCache(ctx.env),
    port: () => checkPort(home, asked),
    gateway: () => checkGateways(home),
    "public URL": async () => {
      const { value = "", source } = (await settings)["public-url"];
      const { sealer, store, keyProblem } = home;
      const identity = sealer && store && keyProblem === undefined ? identityOf({ sealer, store }) : undefined;
      return checkPublicUrl({ value, isDefault: source === "default" }, now, identity);
    },
    "mail server": async () => {
      const { "smtp-url": url, "smtp-tls": tls } = await settings;
      return checkSmtp({ url: url.value, verify: tls.value !== "unverified" });
    },
    unsent: () => checkUnsent(location.home, now),
    service: () => checkServices(home, ctx.clock),
    jobs: async () => checkJobs(home, (await settings)["jobs-folder"].value, now),
    calls: () => checkCalls(home, ctx.clock),
  };
};

const readSettings = async (ctx: Context, { store }: HomeExamination): Promise<ReturnType<typeof settingsInForce>> =>
  settingsInForce(ctx, (await store?.control.settings()) ?? new Map());
