import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { kill, pid } from "node:process";
import { AigwError } from "../errors.ts";
import { createSigningKey } from "../keys/create-key.ts";
import { rotateAtOnce } from "../keys/rotate.ts";
import { assertPrivate, formatMasterKey, parseMasterKey, readMasterKeyFile } from "../sealing/master-key.ts";
import { createSealer, verifyKeyCheck } from "../sealing/sealer.ts";
import { locateStore } from "../store/engines.ts";
import type { RestoredFacts } from "../store/maintenance.ts";
import { defaultStoreUrl, masterKeyPath, restorePendingPath } from "./home-paths.ts";
import type { HomeLocation } from "./inspect-home.ts";
import { writePrivateFile } from "./key-file.ts";
import { makeFolder } from "./make-folder.ts";
import { translateHomeError } from "./translate-home-error.ts";

export interface RestoreHomeOptions extends HomeLocation {
  /** Absolute path of what a backup wrote. */
  readonly file: string;
  /** Copied into the home. Without it the key is AIGW_MASTER_KEY's or the one that lies in the home already. */
  readonly masterKeyFile?: string | undefined;
  /** Wall clock, milliseconds since the epoch, and who restores: for the record of it. */
  readonly at: number;
  readonly actor: string;
}

export interface RestoredHome {
  readonly facts: RestoredFacts;
  /** The new signing key. */
  readonly kid: string;
  /** Where the key is from now on. */
  readonly key: "home" | "environment";
}

/**
 * Restores a backup into a home that holds nothing, or nothing but its master key. While files are put in place a note
 * in the home says so; killed meanwhile, the home counts as incomplete, and the same call finishes the work.
 *
 * Every token ends with it. Clients have in the backup the epochs of then, so that a token which was ended since would be
 * taken again; a new key signs, no other verifies, and none of their secrets is left.
 * @throws AigwError `already_exists`, `master_key_*`, `insecure_permissions`, `invalid_value`, `changed_meanwhile`, `store_*`
 */
export const restoreHome = async (options: RestoreHomeOptions): Promise<RestoredHome> => {
  const { home, file } = options;
  const { engine, location } = await locateStore(options.storeUrl ?? defaultStoreUrl(home));
  const key = keyFor(options);
  const sealer = createSealer(key.bytes);
  const fresh = createSigningKey(sealer, options.at);
  const note = restorePendingPath(home);
  const undo: (() => void)[] = [];
  try {
    const resumed = existsSync(note);
    if (resumed) assertNobodyRestores(note, home);
    await engine.vacate(location, resumed);
    if (!existsSync(home)) {
      makeFolder(home);
      undo.push(() => removeIfEmpty(home));
    }
    assertPrivate(home, "folder");
    writePrivateFile(note, `${pid}\n`);
    undo.push(() => rmSync(note, { force: true }));
    const facts = await engine.restore(location, file, {
      prove: (keyCheck) => verifyKeyCheck(sealer, keyCheck),
      renew: (keyring) => ({
        action: "secret.restore",
        subject: fresh.kid,
        after: rotateAtOnce(keyring, fresh, options.at),
      }),
      at: options.at,
      actor: options.actor,
      onProven: () => {
        if (!key.isNew) return;
        writePrivateFile(masterKeyPath(home), `${formatMasterKey(key.bytes)}\n`, "wx");
        undo.push(() => rmSync(masterKeyPath(home), { force: true }));
      },
    });
    rmSync(note, { force: true });
    return { facts, kid: fresh.kid, key: key.place };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw translateHomeError(error, home);
  }
};

interface Key {
  readonly bytes: Uint8Array;
  readonly place: RestoredHome["key"];
  /** Not in the home yet. */
  readonly isNew: boolean;
}

const keyFor = ({ home, masterKey, masterKeyFile }: RestoreHomeOptions): Key => {
  const own = masterKeyPath(home);
  if (masterKeyFile !== undefined) {
    const bytes = readMasterKeyFile(masterKeyFile);
    if (!existsSync(own)) return { bytes, place: "home", isNew: true };
    if (Buffer.from(readMasterKeyFile(own)).equals(bytes)) return { bytes, place: "home", isNew: false };
    throw new AigwError("already_exists", `${own} is there and holds another key than ${masterKeyFile}. Remove one.`);
  }
  if (masterKey) return { bytes: parseMasterKey(masterKey, "AIGW_MASTER_KEY"), place: "environment", isNew: false };
  if (existsSync(own)) return { bytes: readMasterKeyFile(own), place: "home", isNew: false };
  throw new AigwError(
    "master_key_missing",
    "A backup holds no master key. Give the one that belongs to it: --master-key-file <file>, AIGW_MASTER_KEY, or master.key in the home.",
  );
};

const assertNobodyRestores = (note: string, home: string): void => {
  const owner = Number(readFileSync(note, "utf8"));
  if (!Number.isInteger(owner) || owner <= 0 || owner === pid || !isAlive(owner)) return;
  throw new AigwError("changed_meanwhile", `Process ${owner} is restoring into ${home} at this moment. Wait for it.`);
};

const isAlive = (process: number): boolean => {
  try {
    return kill(process, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
};

const removeIfEmpty = (folder: string): void => {
  if (readdirSync(folder).length === 0) rmdirSync(folder);
};
