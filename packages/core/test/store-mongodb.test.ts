import { after, describe } from "node:test";
import { mongodbMissing, mongodbRan } from "../../../test/support/mongodb.ts";
import { storeContract } from "../src/testing/index.ts";
import { mongoFixture } from "./store-support/mongo-fixture.ts";

describe("on real servers", { skip: mongodbMissing }, () => {
  after(mongodbRan);
  storeContract("MongoDB, one server,", () => mongoFixture("standalone"));
  storeContract("MongoDB, a set of three,", () => mongoFixture("set"));
});
