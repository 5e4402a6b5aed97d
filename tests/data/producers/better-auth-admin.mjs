// Makes better-auth-admin.db as better-auth writes it, with its plugins admin (bans) and username.
// Needs better-auth and @libsql/kysely-libsql.
import { betterAuth } from "better-auth";
import { admin, username } from "better-auth/plugins";
import { getMigrations } from "better-auth/db/migration";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { createClient } from "@libsql/client";
import fs from "node:fs";
fs.rmSync("better-auth-admin.db", { force: true });
const client = createClient({ url: "file:better-auth-admin.db" });
await client.executeMultiple("PRAGMA page_size = 1024; VACUUM;");
client.close();
const options = {
  baseURL: "http://localhost:3000", secret: "a secret of the fixture, and no other",
  database: { dialect: new LibsqlDialect({ url: "file:better-auth-admin.db" }), type: "sqlite" },
  emailAndPassword: { enabled: true },
  plugins: [admin(), username()],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
const ctx = await auth.$context;
const made_at_ms = Date.now(); const out = [];
const add = async (name, email, password, verified) => {
  const { user } = await auth.api.signUpEmail({ body: { name, email, password, username: name } });
  if (verified) await ctx.internalAdapter.updateUser(user.id, { emailVerified: true });
  const it = { id: user.id, username: name, email, email_verified: verified, password, other_key: null, created_at_ms: new Date(user.createdAt).getTime(), ban: null, sessions: [] };
  out.push(it); return it;
};
const root = await add("root", "root@example.com", "root of all passwords", true);
await ctx.internalAdapter.updateUser(root.id, { role: "admin" });
const anna = await add("anna", "anna@example.com", "correct horse battery", true);
const bob = await add("bob_x", "bob@example.com", "ﬁancée①x", false);
const carl = await add("carl", "carl@example.com", "  two  spaces  ", true);
const dora = await add("dora", "dora@example.com", "pass:with:colons", true);
const { headers } = await auth.api.signInEmail({ body: { email: root.email, password: root.password }, returnHeaders: true });
const cookie = headers.getSetCookie().map((it) => it.split(";")[0]).join("; ");
const ban = async (it, body, state) => { await auth.api.banUser({ headers: new Headers({ cookie }), body: { userId: it.id, ...body } }); it.ban = state; };
await ban(bob, { banReason: "spam" }, "for good");
await ban(carl, { banReason: "rude", banExpiresIn: 1 }, "ended");
await ban(dora, { banReason: "late", banExpiresIn: 7300 * 86400 }, "ends later");
fs.writeFileSync("better-auth-admin.json", JSON.stringify({ source: "better-auth", made_at_ms, users: out }, null, "\t") + "\n");
process.exit(0);
