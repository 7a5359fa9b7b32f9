// Opens the database `argv[2]` with a schema of many steps.
import { argv } from "node:process";
import { Database } from "../../src/store/sqlite/files/database.ts";
import { startingGun } from "./children.ts";
import { manySteps } from "./schemas.ts";

const [, , path = ""] = argv;
await startingGun();
Database.open(path, manySteps(20), 20_000).close();
