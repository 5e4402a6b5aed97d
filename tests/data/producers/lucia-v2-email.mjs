// Makes lucia-v2-email.db as an app on Lucia v2 with e-mail keys writes it: Lucia's own e-mail example.
// Needs lucia@2, @lucia-auth/adapter-sqlite@2 and @libsql/client.
import { lucia } from "lucia";
import { libsql } from "@lucia-auth/adapter-sqlite";
import { createClient } from "@libsql/client";
import fs from "node:fs";
import "lucia/polyfill/node";
fs.rmSync("lucia-v2-email.db", { force: true });
const db = createClient({ url: "file:lucia-v2-email.db" });
await db.executeMultiple(`
PRAGMA page_size = 1024; VACUUM;
CREATE TABLE user (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, email_verified INTEGER NOT NULL);
CREATE TABLE user_key (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, hashed_password TEXT, FOREIGN KEY (user_id) REFERENCES user(id));
CREATE TABLE user_session (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, active_expires BIGINT NOT NULL, idle_expires BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES user(id));
CREATE TABLE email_verification_token (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, expires BIGINT NOT NULL);
`);
const DAY = 86400000;
const make = (active, idle) => lucia({ env: "DEV", adapter: libsql(db, { user: "user", key: "user_key", session: "user_session" }),
  sessionExpiresIn: { activePeriod: active, idlePeriod: idle }, getUserAttributes: (it) => ({ email: it.email }) });
const auth = make(7300 * DAY, 14 * DAY), dead = make(1, 1);
const made_at_ms = Date.now();
const users = [];
const add = async (email, verified, password, oauth) => {
  const key = password ? { providerId: "email", providerUserId: email.toLowerCase(), password } : { providerId: "google", providerUserId: oauth, password: null };
  const user = await auth.createUser({ key, attributes: { email, email_verified: Number(verified) } });
  const it = { id: user.userId, username: password ? email.toLowerCase() : email, email, email_verified: verified, password, other_key: password ? `email:${email.toLowerCase()}` : `google:${oauth}`, ban: null, created_at_ms: null, sessions: [] };
  users.push(it); return it;
};
const session = async (a, user, state) => { const s = await a.createSession({ userId: user.id, attributes: {} }); user.sessions.push({ id: s.sessionId, state }); };
const anna = await add("anna@example.com", true, "correct horse battery");
await session(auth, anna, "live"); await session(dead, anna, "dead");
const bob = await add("Bob@example.com", false, "ﬁancée①x");
await session(auth, bob, "live");
const dora = await add("dora@example.com", true, null, "1234567");
await session(auth, dora, "live");
await db.execute({ sql: "INSERT INTO email_verification_token VALUES ('abc', ?, ?)", args: [bob.id, Date.now()] });
db.close();
fs.writeFileSync("lucia-v2-email.json", JSON.stringify({ source: "lucia", made_at_ms, users: users }, null, "\t") + "\n");
