// Makes lucia-v3-drizzle.db as an app on Lucia v3 with Drizzle writes it, hashes in a column `password`.
// Needs lucia@3, @lucia-auth/adapter-drizzle, drizzle-orm, oslo and @libsql/client.
import { Lucia, Scrypt, generateId } from "lucia";
import { DrizzleSQLiteAdapter } from "@lucia-auth/adapter-drizzle";
import { createClient } from "@libsql/client";
import { drizzle } from "drizzle-orm/libsql";
import { sqliteTable, text, integer } from "drizzle-orm/sqlite-core";
import { Argon2id } from "oslo/password";
import fs from "node:fs";
fs.rmSync("lucia-v3-drizzle.db", { force: true });
const client = createClient({ url: "file:lucia-v3-drizzle.db" });
await client.executeMultiple(`PRAGMA page_size = 1024; VACUUM;
CREATE TABLE users (id text PRIMARY KEY NOT NULL, username text NOT NULL, password text, hashtag text, createdAt integer NOT NULL);
CREATE UNIQUE INDEX users_username_unique ON users (username);
CREATE TABLE sessions (id text PRIMARY KEY NOT NULL, userId text NOT NULL, expiresAt integer NOT NULL, FOREIGN KEY (userId) REFERENCES users(id));`);
const db = drizzle(client);
const users = sqliteTable("users", { id: text("id").primaryKey(), username: text("username").notNull().unique(), password: text("password"), hashtag: text("hashtag"), createdAt: integer("createdAt", { mode: "timestamp" }).notNull() });
const sessions = sqliteTable("sessions", { id: text("id").primaryKey(), userId: text("userId").notNull().references(() => users.id), expiresAt: integer("expiresAt").notNull() });
const DAY = 86400000;
const lucia = new Lucia(new DrizzleSQLiteAdapter(db, sessions, users), { sessionExpiresIn: { seconds: () => 7300 * 86400, milliseconds: () => 7300 * DAY } });
const short = new Lucia(new DrizzleSQLiteAdapter(db, sessions, users), { sessionExpiresIn: { seconds: () => 1, milliseconds: () => 1000 } });
const made_at_ms = Date.now();
const out = [];
const add = async (username, password, hasher, states) => {
  const id = generateId(15);
  const createdAt = new Date(Math.floor(Date.now() / 1000) * 1000);
  await db.insert(users).values({ id, username, password: password && await hasher.hash(password), hashtag: "#" + username, createdAt });
  const it = { id, username, email: null, email_verified: false, password, other_key: null, ban: null, created_at_ms: createdAt.getTime(), sessions: [] };
  for (const state of states) {
    const s = await (state === "live" ? lucia : short).createSession(id, {});
    it.sessions.push({ id: s.id, state });
  }
  out.push(it);
};
await add("anna", "correct horse battery", new Argon2id(), ["live", "dead"]);
await add("Bertram", "ﬁancée①x", new Scrypt(), ["live"]);
await add("carla", null, null, ["live"]);
client.close();
fs.writeFileSync("lucia-v3-drizzle.json", JSON.stringify({ source: "lucia-v3", made_at_ms, users: out }, null, "\t") + "\n");
