import { checkPublicUrl } from "../../packages/cli/src/doctor/checks/public-url.ts";

/** A process, because Node reads NODE_EXTRA_CA_CERTS when it starts: `check-urls.ts <url>…`. */
const found = process.argv
  .slice(2)
  .map(async (value) =>
    (await checkPublicUrl({ value, isDefault: false }, Date.now())).map(({ code, message }) => [code, message]),
  );
process.stdout.write(JSON.stringify(await Promise.all(found)));
