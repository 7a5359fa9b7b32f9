import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  htmlOf,
  leakIn,
  literalText,
  namesStandingIn,
  type OnboardingFacts,
  PLACEHOLDERS,
  parseExpiry,
  parseTemplate,
  powerShellQuickStart,
  renderOnboardingEmail,
  renderTemplate,
  smtpAddress,
} from "@aigw/core";
import fc from "fast-check";
import { parseSmtpUrl, smtpPasswordIn, smtpUrlWithoutPassword } from "../src/config/smtp.ts";

const FACTS: OnboardingFacts = {
  greetingName: "Jo {{password}}",
  username: "john",
  password: "aB3-_.~*@:,xyzXYZ123",
  publicUrl: "https://ai.example.com",
  guideUrl: "https://ai.example.com/guide",
  services: ["chat", "ocr"],
  limitPerMinute: 60,
  expiresAt: Date.UTC(2027, 1, 1),
  supportEmail: undefined,
  senderName: undefined,
};

describe("a template", () => {
  test("can say every fact, and nothing else", () => {
    for (const name of Object.keys(PLACEHOLDERS)) {
      const { body } = renderTemplate(parseTemplate(`{{password}}\n{{${name}}}`), FACTS);
      assert.ok(body.length > FACTS.password.length + 2 && !body.includes("undefined"), name);
    }
    const expires = (expiresAt: number | undefined): string =>
      renderTemplate(parseTemplate("{{password}} {{expires}}"), { ...FACTS, expiresAt })
        .body.trim()
        .slice(21);
    // As the admin gave them: a day is the last one.
    const now = Date.UTC(2026, 10, 25);
    for (const [given, shown] of [
      ["2027-01-31", "2027-01-31"],
      ["2028-02-29", "2028-02-29"],
      ["9999-12-31", "9999-12-31"],
      ["2027-01-31T18:00:00Z", "2027-01-31 18:00 UTC"],
      ["2027-01-31T18:00:30+01:00", "2027-01-31 17:00:30 UTC"],
      ["30d", "2026-12-24"],
    ] as const) {
      assert.equal(expires(parseExpiry(given, now)), shown);
    }
    assert.equal(expires(undefined), "never");
  });

  test("is filled in one pass, and keeps its own text to the letter", () => {
    const rendered = renderTemplate(
      parseTemplate("Subject: To {{name}}\n\n$& $1 {{name}}\n\t{{call-commands}}\n {password}\n{{password}}"),
      FACTS,
    );
    assert.equal(rendered.subject, "To Jo {{password}}");
    assert.equal(
      rendered.body,
      `$& $1 Jo {{password}}
\tcurl "https://ai.example.com/api/chat" \\
\t  -H "Authorization: Bearer YOUR_TOKEN"
\tcurl "https://ai.example.com/api/ocr" \\
\t  -H "Authorization: Bearer YOUR_TOKEN"
 {password}
${FACTS.password}
`,
    );
  });

  test("of any text is either refused or filled without a trace of braces", () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{",
      "}",
      "name",
      "password",
      " ",
      "\n",
      "Subject: ",
      "x",
      "{{password}}",
      "constructor",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let template: ReturnType<typeof parseTemplate>;
        try {
          template = parseTemplate(pieces.join(""));
        } catch (error) {
          return error instanceof Error && error.message.startsWith("The template is not valid: ");
        }
        const { subject, body } = renderTemplate(template, { ...FACTS, greetingName: "Jo" });
        return (
          body.includes(FACTS.password) &&
          ![subject, body].some((part) => /\{\{|\}\}/.test(part)) &&
          !subject.includes(FACTS.password)
        );
      }),
      { numRuns: 500 },
    );
  });

  test("its own words are looked through, not what is filled in", () => {
    const text = literalText(parseTemplate("Hi mary, {{password}} at http://10.0.0.1:8080"));
    const at = (value: string): string | undefined => leakIn(text, [{ what: "it", value }])?.what;
    assert.deepEqual(
      [at("http://10.0.0.1:8080"), at("http://10.0.0.1:80"), at(""), at("Hi")],
      ["it", undefined, undefined, undefined],
    );
    assert.deepEqual(namesStandingIn(text, ["mary", "mar", "ma", "Mary"]), ["mary", "Mary"]);
  });
});

test("the HTML part says what the text says, and nothing in it is taken for markup", () => {
  const text =
    'Hi <script>"x"</script> & co,\nsecond\n\n   curl "https://a/b" \\\n     -d "a&b"\n\nSee: https://a.example/?x=1&y="z"\n';
  const html = htmlOf({ subject: "x", body: text, credentials: [] });
  assert.doesNotMatch(html, /<script/);
  const plain = html
    .replace(/[\s\S]*<body[^>]*><div[^>]*>\n|\n<\/div><\/body>[\s\S]*/g, "")
    .replace(/<br>\n/g, "\n")
    .replace(/<\/(p|pre)>\n?/g, "\n\n")
    .replace(/<[^>]+>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
  assert.equal(plain.trim(), text.replace("\n   curl", "\ncurl").replace("\n     -d", "\n  -d").trim());
});

test("the HTML part sets username and password apart, and has the commands for Windows, too", () => {
  const html = htmlOf(renderOnboardingEmail({ ...FACTS, password: `lI1<O0"` }));
  const code = /<code style="([^"]*)">/.exec(html)?.[1] ?? "";
  assert.match(code, /^font-family:ui-monospace,.*,monospace;/);
  const values = [...html.matchAll(/<br>\n([^<]*)<code style="[^"]*">([^<]*)<\/code>/g)].map(([, label, value]) => [
    label,
    value,
  ]);
  assert.deepEqual(values, [
    ["Username: ", "john"],
    ["Password: ", "lI1&lt;O0&quot;"],
  ]);
  assert.match(html, /<p>The same in Windows PowerShell:<\/p>\n<pre style="[^"]*">\$token = \(Invoke-RestMethod /);
  assert.ok(html.indexOf("PowerShell") < html.indexOf("Support:"));
  // A template of the admin's own says what it says.
  const own = htmlOf(renderTemplate(parseTemplate("Welcome john\n{{username}}\nIt is {{password}}"), FACTS));
  assert.doesNotMatch(own, /PowerShell/);
  assert.deepEqual(
    [...own.matchAll(/<code[^>]*>([^<]*)<\/code>/g)].map(([, value]) => value),
    ["john", "john", FACTS.password],
  );
});

test("PowerShell gets every password as it is", () => {
  for (const [password, written] of [
    [FACTS.password, "'aB3-_.~*@:,xyzXYZ123'"],
    ['it\'s ’so’ $(calc) `n "x"', "'it''s ’’so’’ $(calc) `n \"x\"'"],
  ] as const) {
    const { token, calls } = powerShellQuickStart({ ...FACTS, password });
    assert.equal(
      token,
      `$token = (Invoke-RestMethod -Method Post -Uri 'https://ai.example.com/auth/token' \`\n  -Body @{ username = 'john'; password = ${written} }).access_token`,
    );
    assert.equal(calls.length, 2);
    assert.equal(
      calls[0],
      "Invoke-RestMethod -Uri 'https://ai.example.com/api/chat' `\n  -Headers @{ Authorization = \"Bearer $token\" }",
    );
  }
});

describe("smtp-url", () => {
  test("is read, and given back in one form", () => {
    assert.deepEqual(smtpAddress("smtp://a%40b@Mail.example.com"), {
      host: "Mail.example.com",
      port: 587,
      implicitTls: false,
      user: "a@b",
    });
    assert.deepEqual(smtpAddress("smtps://[::1]:10465/"), {
      host: "::1",
      port: 10465,
      implicitTls: true,
      user: undefined,
    });
    assert.equal(parseSmtpUrl("smtps://u@h/"), "smtps://u@h");
    assert.equal(smtpUrlWithoutPassword("smtp://u:p%2Fw@h:25"), "smtp://u@h:25");
    assert.equal(smtpPasswordIn("smtp://u:p%2Fw@h:25"), "p/w");
  });

  test("with anything more is refused, without repeating a password", () => {
    for (const value of [
      "http://u:hunter2@h",
      "smtp:",
      "smtp://",
      "smtp://h/path",
      "smtp://h?x",
      "smtp://h#x",
      "smtp://:hunter2@h",
      "smtp://u:hunter2@h",
      "smtp://u:hunter2%@h",
      "smtp://a b",
      "u:hunter2@h",
    ]) {
      assert.throws(
        () => parseSmtpUrl(value),
        (error) => error instanceof Error && /smtp-url/.test(error.message) && !error.message.includes("hunter2"),
        value,
      );
    }
  });
});
