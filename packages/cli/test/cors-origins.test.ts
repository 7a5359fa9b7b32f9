import assert from "node:assert/strict";
import { test } from "node:test";
import { aigw, json, temporaryHome } from "./support/harness.ts";

test("--cors-origins of a service: set, shown, told by the audit list, taken back", async (t) => {
  const home = temporaryHome(t);
  const pages = "https://App.Example.com/, http://localhost:5173";
  const origins = async (): Promise<unknown> =>
    json<{ service: { corsOrigins: unknown } }>(await aigw(home, ["service", "show", "ocr", "--json"])).service
      .corsOrigins;
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1", "--cors-origins", pages]);
  assert.equal(await origins(), "https://app.example.com,http://localhost:5173");
  for (const value of ["*", "upstream", "none"]) {
    const { code, stderr } = await aigw(home, ["service", "set", "ocr", "--cors-origins", value]);
    assert.equal(code, 0, stderr);
    assert.equal(await origins(), value);
    const shown = (await aigw(home, ["service", "show", "ocr"])).stdout;
    assert.equal(/\nCORS origins +(\S+)\n/.exec(shown)?.[1], value);
  }
  const again = json<{ changed: boolean }>(
    await aigw(home, ["service", "set", "ocr", "--cors-origins", "none", "--json"]),
  );
  assert.equal(again.changed, false);
  await aigw(home, ["service", "set", "ocr", "--timeout", "5s"]);
  assert.equal(await origins(), "none", "what is not given stays");
  await aigw(home, ["service", "set", "ocr", "--no-cors-origins"]);
  assert.equal(await origins(), null);
  assert.match((await aigw(home, ["service", "show", "ocr"])).stdout, /CORS origins +as the setting cors-origins says/);
  assert.match((await aigw(home, ["audit", "list"])).stdout, /CORS origins/);

  for (const command of [
    ["service", "set", "ocr", "--cors-origins", "https://a.example/page"],
    ["service", "add", "chat", "http://127.0.0.1:1", "--cors-origins", "https://a.example/page"],
  ]) {
    const { code, stderr } = await aigw(home, command);
    assert.equal(code, 2);
    assert.match(stderr, /--cors-origins: origin 'https:\/\/a\.example\/page' is not valid/);
  }
  assert.equal((await aigw(home, ["service", "show", "chat"])).code, 3, "nothing is half done");
});

test("cors-origins: set, in the guide, refused with the name of the variable", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["init", "--no-input"]);
  const inGuide = async (): Promise<boolean> => (await aigw(home, ["guide"])).stdout.includes("(CORS)");
  assert.equal(await inGuide(), false);
  await aigw(home, ["config", "set", "cors-origins", "https://App.example.com"]);
  const listed = await aigw(home, ["config", "list", "--json"]);
  assert.match(listed.stdout, /"https:\/\/app\.example\.com"/);
  assert.equal(await inGuide(), true);
  assert.doesNotMatch((await aigw(home, ["guide"])).stdout, /app\.example\.com/, "which pages is nobody else's");
  const refused = await aigw(home, ["config", "set", "cors-origins", "app.example.com"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /origin 'app\.example\.com' is not valid, the scheme is missing/);
  const serve = await aigw(home, ["serve", "--port", "0"], { env: { AIGW_CORS_ORIGINS: "null" } });
  assert.equal(serve.code, 2);
  assert.match(serve.stderr, /AIGW_CORS_ORIGINS: origin 'null' is not valid/);
});
