import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { blocksIn, installing } from "../support/documents.ts";
import { reportNeed } from "../support/needs.ts";
import { bootDebian, lacking, type Machine } from "./support/debian.ts";
import { RELEASE, ROOT, released } from "./support/release.ts";

/**
 * The tarball and the unit by the lines of docs/install.md, on a Debian that has no Node and whose own systemd runs the
 * unit with all that it forbids. Run by `pnpm installs`.
 */

const WHAT = "The tarball and the systemd unit on a machine of their own";
const missing = lacking(["mmdebstrap", "findmnt", "nsenter", "unshare", "ip"]);
reportNeed(WHAT, missing);

describe("the tarball and the unit", { skip: missing }, () => {
  const folder = mkdtempSync(join(tmpdir(), "aigw-machine-"));
  let machine: Machine | undefined;
  const paste = (lines: string): Promise<string> => {
    assert.ok(machine);
    return machine.paste(lines);
  };
  before(
    async () => {
      machine = await bootDebian(folder);
      for (const file of [released(".tar.gz"), join(RELEASE, "SHA256SUMS")]) {
        copyFileSync(file, join(machine.root, "root", basename(file)));
      }
    },
    { timeout: 500_000 },
  );
  after(async () => {
    await machine?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const [unpack = "", remove = ""] = installing("From the tarball");
  const [start = "", commands = "", upgrade = "", uninstall = ""] = installing("As a service of systemd");
  const [inFront = ""] = installing("nginx or Caddy in front");
  /** `aigw` as the page defines it, for each shell anew. */
  const aigw = commands.split("\n")[0] ?? "";
  const untilReady = `for i in $(seq 100); do ${get("/ready")} | grep -q '"ready"' && break; sleep 0.1; done`;

  it("runs where there is no Node, is let do what it needs and nothing else", { timeout: 120_000 }, async () => {
    assert.match(await paste("command -v node || echo none"), /^none$/m);
    assert.match(await paste(`cd\n${unpack}`), /OK\n0\.1\.0\n$/);
    assert.match(await paste(start), /Active: active \(running\)/);
    await paste(untilReady);
    assert.match(await paste(commands), /ok +gateway/);

    const added = await paste(`${aigw}
aigw service add here http://127.0.0.1:8080 --no-check
PASSWORD=$(aigw client add john -q)
/opt/aigw/lib/node -e '
const token = await fetch("http://127.0.0.1:8080/auth/token", { method: "POST", body: new URLSearchParams({ username: "john", password: process.argv[1] }) });
const { access_token } = await token.json();
const answer = await fetch("http://127.0.0.1:8080/api/here/health", { headers: { Authorization: "Bearer " + access_token } });
console.log(token.status, answer.status, await answer.text());
' --input-type=module "$PASSWORD"
aigw usage tail`);
    assert.match(added, /200 200 \{"status":"ok"\}/);
    assert.match(added, /john\s+here\s+GET\s+200/);

    // What it has to be allowed: threads that stand back (column 19: nice), the boot's id, its files, the cache.
    const seen = await paste(`pid=$(systemctl show -p MainPID --value aigw)
for task in /proc/$pid/task/*; do grep -q libuv-worker $task/comm && cut -d' ' -f19 <(sed 's/([^)]*)/x/' $task/stat); done | sort -u
grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/$pid/status
grep 'open files' /proc/$pid/limits
ls /var/cache/aigw
stat -c '%U %a %n' /var/lib/aigw /var/lib/aigw/master.key
nsenter -t $pid -m cat /proc/sys/kernel/random/boot_id
nsenter -t $pid -m sh -c 'touch /etc/x || echo read-only'`);
    assert.match(seen, /^10$/m, "passwords are hashed with a lower priority");
    assert.match(seen, /CapEff:\s+0{16}\nNoNewPrivs:\s+1\nSeccomp:\s+2/);
    // As many as the unit says, where the machine lets anybody have them.
    assert.match(seen, /Max open files +(\d+) +\1 /);
    assert.match(seen, /^aigw 700 \/var\/lib\/aigw\naigw 600 \/var\/lib\/aigw\/master\.key$/m);
    assert.match(seen, /^read-only$/m);
    assert.doesNotMatch(await paste("journalctl -u aigw --no-pager"), /"level":"(warn|error)"/);
  });

  it("serves with workers, and on port 443 with the drop-in", { timeout: 120_000 }, async () => {
    const dropIn = blocksIn("docs/install.md").find(({ language }) => language === "ini")?.text ?? "";
    assert.ok(dropIn.includes("--port 443 "));
    const { stdout: pem } = spawnSync("openssl", [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
      ...[
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:ai.example.com",
        "-keyout",
        join(machine?.root ?? "", "root/privkey.pem"),
      ],
    ]);
    assert.ok(pem.length > 0);
    const seen = await paste(`mkdir -p /etc/aigw /etc/systemd/system/aigw.service.d
cat >/etc/aigw/fullchain.pem <<'END'
${pem}END
install -m 0640 -g aigw /root/privkey.pem /etc/aigw/privkey.pem
cat >/etc/systemd/system/aigw.service.d/override.conf <<'END'
${dropIn.replace("--port 443 ", "--port 443 --workers 2 ")}END
systemctl daemon-reload
systemctl restart aigw
for i in $(seq 100); do grep -q :01BB /proc/net/tcp && break; sleep 0.1; done
NODE_EXTRA_CA_CERTS=/etc/aigw/fullchain.pem /opt/aigw/lib/node -e 'console.log(await (await fetch("https://127.0.0.1/ready")).text())' --input-type=module
systemctl reload aigw
systemctl is-active aigw
# What is said to whoever has a proxy in front; the gateway itself answers in the proxy's place and under its name.
echo 127.0.0.1 ai.example.com >>/etc/hosts
export NODE_EXTRA_CA_CERTS=/etc/aigw/fullchain.pem
${aigw}
aigw service remove here --yes
${inFront}
aigw config get public-url
aigw config unset public-url trust-proxy
rm -r /etc/systemd/system/aigw.service.d
systemctl daemon-reload
systemctl restart aigw
${untilReady}`);
    assert.match(seen, /\{"status":"ready"\}\nactive/);
    assert.match(seen, /trust-proxy is 127\.0\.0\.1 now\.[\s\S]*public-url is https:\/\/ai\.example\.com now\./);
    assert.match(seen, /ok +public URL +https:\/\/ai\.example\.com/);
    assert.match(seen, /^https:\/\/ai\.example\.com\npublic-url is unset\.\ntrust-proxy is unset\.$/m);
  });

  it("is upgraded with its data, and goes without it", { timeout: 120_000 }, async () => {
    const upgraded = await paste(`${aigw}\n${upgrade}\n${untilReady}\naigw client list\nls /var/lib/aigw`);
    assert.match(upgraded, /before-upgrade\.tar/);
    assert.match(upgraded, /john/);
    // A call under way does not keep it for ever, nor is it killed: systemd says how it ended.
    assert.match(await paste("systemctl stop aigw; systemctl show -p Result,ExecMainStatus aigw"), /ExecMainStatus=0/);
    await paste("systemctl start aigw");
    await paste(uninstall);
    await paste(remove);
    const left = await paste(
      "ls -d /opt/* /usr/local/bin/* /etc/systemd/system/aigw* 2>/dev/null || true; ls /var/lib/aigw",
    );
    assert.match(left, /^aigw\.db\n/);
    assert.match(await paste("systemctl status aigw || true"), /could not be found/);
  });

  it("verifies, and is little exposed", () => {
    const file = join(machine?.root ?? "", "etc/systemd/system/aigw.service");
    copyFileSync(join(ROOT, "deploy/aigw.service"), file);
    const threshold = "--threshold=20";
    const args = ["security", "--offline=yes", threshold, "/etc/systemd/system/aigw.service"];
    const { status, stdout } = spawnSync("chroot", [machine?.root ?? "", "systemd-analyze", ...args], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
    const said = /exposure level for aigw\.service: (\d\.\d)/.exec(stdout)?.[1];
    const page = readFileSync(join(ROOT, "docs/install.md"), "utf8");
    assert.ok(said && page.includes(`\`systemd-analyze security\` gives it ${said} of 10`), `it is ${said}`);
  });
});

/** An answer of the gateway's, with what a bare Debian has. */
function get(path: string): string {
  return `{ exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET ${path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3; } 2>/dev/null`;
}
