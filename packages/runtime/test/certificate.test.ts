import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isAigwError } from "@aigw/core";
import { selfSigned } from "../../../test/support/certificate.ts";
import { readCertificate } from "../src/tls/certificate.ts";
import { CertificateWatch } from "../src/tls/certificate-watch.ts";

describe("the TLS certificate", () => {
  const one = selfSigned("one");
  const two = selfSigned("two");

  it("is taken with its key, and its intermediates behind it", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "aigw-tls-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
    writeFileSync(files.cert, one.cert + two.cert);
    writeFileSync(files.key, one.key);
    const { context, expiresAt } = await readCertificate(files);
    assert.equal(context.minVersion, "TLSv1.2");
    assert.ok(expiresAt > Date.now() && expiresAt < Date.now() + 31 * 86_400_000);
  });

  it("is refused with its file and the reason when it cannot be used", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "aigw-tls-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };
    const files = { cert: file("cert.pem", one.cert), key: file("key.pem", one.key) };
    const cases: readonly (readonly [Partial<typeof files>, RegExp])[] = [
      [{ cert: join(folder, "none.pem") }, /certificate \S+none\.pem: there is no such file\. .*--tls-cert/],
      [{ key: folder }, /private key \S+: it is a folder\. .*--tls-key/],
      [{ key: file("other.pem", two.key) }, /other\.pem does not belong to the first certificate in \S+cert\.pem/],
      [{ cert: file("order.pem", two.cert + one.cert) }, /key\.pem does not belong to the first .*order\.pem/],
      [{ cert: file("text.pem", "hello\n") }, /text\.pem is not a complete PEM file/],
      [{ cert: file("cut.pem", one.cert + two.cert.slice(0, -30)) }, /cut\.pem is not a complete PEM file/],
      [{ cert: file("bad.pem", one.cert.replace(/\n.{20}/, "\nAAAA")) }, /bad\.pem cannot be used/],
      [{ cert: files.key }, /certificate \S+key\.pem cannot be used/],
      [{ key: file("locked.pem", one.key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE")) }, /locked\.pem has a passphrase/],
    ];
    for (const [changed, message] of cases) {
      await assert.rejects(readCertificate({ ...files, ...changed }), (error: unknown) => {
        assert.ok(isAigwError(error, "failed"), String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes(one.key.split("\n")[1] ?? "?"), "never the key");
        return true;
      });
    }
  });

  it("is followed: renewed once a pair fits, complained of once for each state that does not", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "aigw-tls-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
    writeFileSync(files.cert, one.cert);
    writeFileSync(files.key, one.key);
    const faults: string[] = [];
    const renewed: unknown[] = [];
    const watch = await CertificateWatch.open({
      files,
      onRenewed: ({ context }) => renewed.push(context.cert),
      onFault: (error) => faults.push(isAigwError(error) ? error.message : String(error)),
    });
    const look = async (): Promise<void> => {
      for (let times = 0; times < 3; times += 1) await watch.check();
    };
    await look();
    assert.deepEqual([faults.length, renewed.length], [0, 0], "nothing has changed");
    writeFileSync(files.cert, two.cert);
    await look();
    assert.deepEqual([faults.length, renewed.length], [1, 0]);
    assert.match(faults[0] ?? "", /does not belong/);
    rmSync(files.key);
    await look();
    assert.deepEqual([faults.length, renewed.length], [2, 0]);
    assert.match(faults[1] ?? "", /there is no such file/);
    assert.equal(watch.current.context.cert, one.cert, "the old one stays");
    writeFileSync(files.key, two.key);
    await look();
    assert.deepEqual([faults.length, renewed], [2, [two.cert]]);
    assert.equal(watch.current.context.key, two.key);
  });
});
