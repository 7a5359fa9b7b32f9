// Run as a process: takes the lock `argv[3]` on the database `argv[2]`, says so, and keeps it until its stdin ends.
import { once } from "node:events";
import { argv, stdin, stdout } from "node:process";
import { DatabaseSync } from "node:sqlite";

const [, , path = "", begin = "BEGIN IMMEDIATE"] = argv;
const db = new DatabaseSync(path, { timeout: 5_000 });
db.exec(begin);
stdout.write("locked\n");
stdin.resume();
await once(stdin, "end");
db.exec("ROLLBACK");
db.close();
