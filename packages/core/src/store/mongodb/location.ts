import { AigwError } from "../../errors.ts";
import type { StoreLocation } from "../engine.ts";

/** The database of a URL that names none. */
export const DEFAULT_DATABASE = "aigw";

/** A MongoDB URL, taken apart as far as aigw looks; the rest is the driver's. */
export interface MongoLocation extends StoreLocation {
  readonly database: string;
}

/**
 * Scheme, user and password, hosts, database, options. An `@` that is not percent-encoded stands before the hosts and
 * nowhere else: what is taken for a host or a database is then never part of a password.
 */
const URL_PARTS = /^(mongodb(?:\+srv)?):\/\/(?:[^@/?#]*@)?([^@/?#]+)(?:\/([^@/?#]*))?(?:\?[^@#]*)?$/i;
const HOST = /^(?:\[[\da-f:.]+\]|[^\s:[\]]+)(?::\d{1,5})?$/i;

/** Not in a database's name on any system, https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions. */
const NOT_IN_A_NAME = /[/\\. "$*<>:|?\0]/;

/** @throws AigwError `invalid_value`, which repeats nothing of it */
export const parseMongoUrl = (url: string): MongoLocation => {
  const [, scheme = "", hosts = "", name = ""] = URL_PARTS.exec(url) ?? [];
  const database = decoded(name) || DEFAULT_DATABASE;
  if (
    !hosts.split(",").every((host) => HOST.test(host)) ||
    NOT_IN_A_NAME.test(database) ||
    Buffer.byteLength(database) > 63
  )
    throw notValid();
  return { engine: "mongodb", url, database, shown: `${scheme.toLowerCase()}://${hosts}/${database}` };
};

/** What the driver has to say about a URL repeats parts of it. */
export const notValid = (): AigwError =>
  new AigwError(
    "invalid_value",
    "The store URL (mongodb://…) is not valid: use mongodb://<user>:<password>@<host>:<port>/<database>?<options>, with : / ? # [ ] @ and % in the name and the password percent-encoded.",
  );

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notValid();
  }
};
