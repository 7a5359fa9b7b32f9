import { appendFileSync } from "node:fs";

/**
 * What tests need that npm cannot bring, by the names that `AIGW_REQUIRE` takes (separated by commas): a test that is
 * skipped for the want of one is then a failure. `.ci/run` requires them all, each of the command that runs it.
 */
export const NEEDS = {
  browser: "The browser tests",
  shell: "The guide's examples in curl and Python",
  proxies: "The tests behind real proxies",
  python: "The tests with clients and services in Python",
  go: "The tests with clients in Go",
  zsh: "The README's lines in zsh",
  completion: "The completion at a prompt of zsh",
  mongodb: "The tests on MongoDB",
  terminal: "The tests on a pseudo-terminal",
  strace: "The test that watches system calls",
} as const;

/**
 * Tells scripts/test.ts whether the tests ran that need such a program, so that its last lines can say so. Does nothing
 * when the test file is run by itself.
 * @param what one of {@link NEEDS}, or other words for tests that nobody requires
 * @param missing why they could not run
 */
export const reportNeed = (what: string, missing: string | undefined): void => {
  const file = process.env["AIGW_TEST_NEEDS"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ what, missing: missing ?? null })}\n`);
};
