// Makes lucia-v3-prisma.db as an app on Lucia v3 with Prisma and libsql writes it: times are texts.
// Needs lucia@3, @lucia-auth/adapter-prisma, prisma@7, @prisma/client, @prisma/adapter-libsql, and a client that
// `prisma generate` made of lucia-v3-prisma.prisma.
const { PrismaClient } = require("@prisma/client");
const { PrismaLibSql } = require("@prisma/adapter-libsql");
const { createClient } = require("@libsql/client");
const fs = require("node:fs");
(async () => {
const { Lucia, Scrypt, generateId } = await import("lucia");
const { PrismaAdapter } = await import("@lucia-auth/adapter-prisma");
fs.rmSync("lucia-v3-prisma.db", { force: true });
const client = createClient({ url: "file:lucia-v3-prisma.db" });
// What prisma migrate writes for the schema.
await client.executeMultiple(`PRAGMA page_size = 1024; VACUUM;
CREATE TABLE "User" ("id" TEXT NOT NULL PRIMARY KEY, "username" TEXT NOT NULL, "passwordHash" TEXT NOT NULL, "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Session" ("id" TEXT NOT NULL PRIMARY KEY, "userId" TEXT NOT NULL, "expiresAt" DATETIME NOT NULL, CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE);
CREATE UNIQUE INDEX "User_username_key" ON "User"("username");`);
client.close();
const prisma = new PrismaClient({ adapter: new PrismaLibSql({ url: "file:./lucia-v3-prisma.db" }) });
const adapter = new PrismaAdapter(prisma.session, prisma.user);
const make = (seconds) => new Lucia(adapter, { sessionExpiresIn: { seconds: () => seconds, milliseconds: () => seconds * 1000 } });
const lucia = make(7300 * 86400), short = make(1);
const made_at_ms = Date.now(); const out = [];
const add = async (username, password, states) => {
  const user = await prisma.user.create({ data: { id: generateId(15), username, passwordHash: await new Scrypt().hash(password) } });
  const it = { id: user.id, username, email: null, email_verified: false, password, other_key: null, ban: null, created_at_ms: user.createdAt.getTime(), sessions: [] };
  for (const state of states) { const s = await (state === "live" ? lucia : short).createSession(user.id, {}); it.sessions.push({ id: s.id, state }); }
  out.push(it);
};
await add("anna", "correct horse battery", ["live", "dead"]);
await add("Bertram", "ﬁancée①x", ["live"]);
await prisma.$disconnect();
fs.writeFileSync("lucia-v3-prisma.json", JSON.stringify({ source: "lucia-v3", made_at_ms, users: out }, null, "\t") + "\n");
})();
