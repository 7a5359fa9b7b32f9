import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Client, ControlStore } from "@aigw/core";
import { aigw, json, type Outcome, opened, type RunOptions, temporaryHome } from "./support/harness.ts";

interface Prepared {
  readonly home: string;
  readonly control: ControlStore;
  readonly john: () => Promise<Client | undefined>;
  /** Edits john with this command as the editor. */
  readonly edit: (editor: string, options?: RunOptions, ...flags: string[]) => Promise<Outcome>;
  /** What the last editor that began with SEE was given, and where. */
  readonly seen: () => { readonly text: string; readonly path: string };
}

const prepared = async (t: TestContext): Promise<Prepared> => {
  const home = temporaryHome(t);
  for (const name of ["ocr", "chat"]) await aigw(home, ["service", "add", name, "http://127.0.0.1:1", "--no-check"]);
  const facts = ["--email", "john@example.com", "--services", "ocr", "--expires", "2999-01-31", "--note", "a: b"];
  assert.equal((await aigw(home, ["client", "add", "john", ...facts])).code, 0);
  const { control } = (await opened(t, home)).store;
  const copy = join(dirname(home), "seen");
  return {
    home,
    control,
    john: async () => control.client("john"),
    edit: (editor, options = {}, ...flags) =>
      aigw(home, ["client", "edit", "john", ...flags], {
        ...options,
        env: {
          EDITOR: editor.replace("SEE", `cp "$1" ${copy}; echo "$1" >${copy}.path;`),
          NO_COLOR: "1",
          ...options.env,
        },
      }),
    seen: () => ({ text: readFileSync(copy, "utf8"), path: readFileSync(`${copy}.path`, "utf8").trim() }),
  };
};

test("client edit: what can be changed, as it is; what was changed is in force, in one change", async (t) => {
  const { control, john, edit, seen } = await prepared(t);
  const before = await control.head();
  const edited = await edit(
    "SEE stat -c '%a' \"$1\" >>\"$1\"; sed -i -e 's/^limit:.*/limit: 5/' -e 's/^note:.*/note:/' -e '/^600$/d'",
  );
  assert.deepEqual([edited.code, edited.stderr], [0, ""]);
  assert.equal(edited.stdout, "john changed. No gateway is running; the next one starts with it.\n");
  const [head, fields] = seen().text.split(/\n\n/);
  assert.match(head ?? "", /^# john: change what stands behind the colons/);
  assert.equal(
    fields,
    "email: john@example.com\ndisplay-name:\nservices: ocr\nlimit: default\nquota: default\nplan: none\nweight: default\nexpires: 2999-01-31\nnote: a: b\n",
  );
  const { limit, note, email, services, expiresAt } = (await john()) ?? {};
  assert.deepEqual(
    [limit, note, email, services, expiresAt],
    [5, undefined, "john@example.com", ["ocr"], Date.UTC(2999, 1, 1)],
  );
  assert.equal(await control.head(), before + 1);

  const all =
    "sed -i -e 's/^services:.*/services: chat, ocr/' -e 's/^expires:.*/expires: never/' -e 's/^display-name:/& John D./' -e 's/^limit:.*/limit: default/'";
  const { client, changed } = json<{ client: Record<string, unknown>; changed: boolean }>(
    await edit(all, {}, "--json"),
  );
  assert.deepEqual(
    [changed, client["services"], client["expiresAt"], client["displayName"], client["limit"]],
    [true, ["chat", "ocr"], null, "John D.", 60],
  );
  assert.deepEqual([seen().path.endsWith("/john.txt"), existsSync(dirname(seen().path))], [true, false], "gone");
});

test("client edit: unchanged, emptied or taken away, nothing is done", async (t) => {
  const { control, edit } = await prepared(t);
  const before = await control.head();
  for (const editor of ["true", "truncate -s 0", "rm", "sed -i 's/^email: */email:   /'", "sed -i '/^email/d'"]) {
    const { code, stdout, stderr } = await edit(editor);
    assert.deepEqual([code, stdout, stderr], [0, "john is left as it was.\n", ""], editor);
  }
  assert.equal(json<{ changed: boolean }>(await edit("true", {}, "--json")).changed, false);
  assert.equal(await control.head(), before);
});

test("client edit: what is wrong is named by its line; at a terminal the editor opens again with it", async (t) => {
  const { control, john, edit, seen, home } = await prepared(t);
  const before = await control.head();
  const wrong =
    "sed -i -e 's/^limit:.*/limit: lots/' -e 's/^services:.*/services: orc/' -e 's/^note:/ntoe:/' -e 's/^email:.*/&\\n&x/'";
  const refused = await edit(wrong);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  const lines = refused.stderr.split("\n");
  assert.equal(lines[0], "error: john was edited to what is not valid. Nothing was changed.");
  assert.match(lines[1] ?? "", /^ {2}line 15: email is there twice/);
  assert.match(lines[2] ?? "", /^ {2}line 17: There is no service 'orc'; services are: chat, ocr\. Did you mean ocr\?/);
  assert.match(lines[3] ?? "", /^ {2}line 18: limit 'lots' is not valid: use a whole number/);
  assert.match(lines[4] ?? "", /^ {2}line 23: 'ntoe' is not a field: use one of .*\. Did you mean note\?/);

  for (const [field, asks] of [
    ["services", /services is empty: .* or: all\./],
    ["expires", /expires is empty: .* or: never\./],
    ["limit", /limit is empty: .* or: default \(60\)\./],
    ["plan", /plan is empty: .* or: none\./],
  ] as const) {
    const emptied = await edit(`sed -i 's/^${field}:.*/${field}:/'`);
    assert.deepEqual(
      [emptied.code, asks.test(emptied.stderr)],
      [2, true],
      `${emptied.stderr}: no more rights by leaving out`,
    );
  }

  assert.match((await edit("sed -i 's/^plan:.*/plan: gold/'")).stderr, /no plan 'gold'; no plan has been added yet/);

  // The second time the same editor puts it right.
  const script = join(dirname(home), "editor.sh");
  writeFileSync(
    script,
    'cp "$1" "$0.seen"\nif grep -q "✗" "$1"; then sed -i "s/^limit:.*/limit: 7/" "$1"; else sed -i "s/^limit:.*/limit: lots/" "$1"; fi\n',
  );
  const again = await edit(`sh ${script}`, { terminal: 100, answers: [true] });
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /warning: line 17: limit 'lots' is not valid[^?]*\n\? Open the editor again\?/);
  assert.match(readFileSync(`${script}.seen`, "utf8"), /\n# ✗ limit 'lots' is not valid: [^\n]*\nlimit: lots\n/);
  assert.equal((await john())?.limit, 7);
  assert.equal(await control.head(), before + 1);
  const given = await edit("SEE sed -i 's/^limit:.*/limit: lots/'", { terminal: 100, answers: [false] });
  assert.deepEqual([given.code, given.stdout], [2, ""]);
  assert.match(given.stderr, /line 17: limit 'lots'/);
  assert.equal(existsSync(dirname(seen().path)), false);
});

test("client edit: no editor, one that fails, a client that is not there, one that somebody else changed", async (t) => {
  const { control, edit, home, john } = await prepared(t);
  const before = await control.head();
  for (const [editor, says] of [
    ["/no/such/editor", /editor '\/no\/such\/editor' could not be started\. Set VISUAL or EDITOR/],
    ["false", /editor 'false' ended with 1\. Nothing was changed/],
    ["kill -TERM $$;", /editor 'kill .*' ended with \d+\. Nothing was changed/],
  ] as const) {
    const failed = await edit(editor);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, says);
  }
  const none = await edit("");
  assert.deepEqual([none.code, /no terminal to edit on\. Use: aigw client set john/.test(none.stderr)], [2, true]);
  assert.equal((await aigw(home, ["client", "edit", "jon"], { env: { EDITOR: "false" } })).code, 3);
  assert.equal((await edit("false", { env: { VISUAL: "true" } })).code, 0, "VISUAL comes before EDITOR");
  assert.equal(await control.head(), before);

  const cli = join(import.meta.dirname, "../dist/main.js");
  const other = `${process.execPath} --conditions=aigw-built ${cli} --home '${home}' client set john --note other && sed -i 's/^limit:.*/limit: 9/'`;
  const raced = await edit(other);
  assert.equal(raced.code, 5, raced.stderr);
  const [, kept = ""] =
    /Somebody else changed john meanwhile\. .* Your text is kept: (\S+)\. /.exec(raced.stderr) ?? [];
  assert.match(readFileSync(kept, "utf8"), /\nlimit: 9\n/);
  assert.equal(statSync(dirname(kept)).mode & 0o777, 0o700);
  assert.deepEqual([(await john())?.note, (await john())?.limit], ["other", undefined]);
  rmSync(dirname(kept), { recursive: true });
});
