import type { TokenIssue } from "../../store.ts";
import type { Database } from "../files/database.ts";

/** Keeps the latest issue per client and key; drops what had expired when the newest of them was issued. */
export const recordTokenIssues = (db: Database, issues: readonly TokenIssue[]): void => {
  if (issues.length === 0) return;
  let newest = 0;
  db.immediate(() => {
    for (const issue of issues) {
      newest = Math.max(newest, issue.issuedAt);
      db.run(
        `INSERT INTO token_issues VALUES (?, ?, ?, ?, ?) ON CONFLICT (client_id, kid) DO UPDATE
         SET epoch = excluded.epoch, issued_at = excluded.issued_at, expires_at = excluded.expires_at
         WHERE excluded.issued_at >= issued_at`,
        issue.clientId,
        issue.kid,
        issue.epoch,
        issue.issuedAt,
        issue.expiresAt,
      );
    }
    db.run("DELETE FROM token_issues WHERE expires_at <= ?", newest);
  });
};

/** @param now steady milliseconds */
export const readLiveTokens = (db: Database, now: number): readonly TokenIssue[] =>
  db
    .all<{ client_id: string; kid: string; epoch: number; issued_at: number; expires_at: number }>(
      "SELECT * FROM token_issues WHERE expires_at > ? ORDER BY client_id, kid",
      now,
    )
    .map((row) => ({
      clientId: row.client_id,
      kid: row.kid,
      epoch: row.epoch,
      issuedAt: row.issued_at,
      expiresAt: row.expires_at,
    }));
