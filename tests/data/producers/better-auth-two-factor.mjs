// Makes better-auth-two-factor.db as better-auth writes it, with its plugins twoFactor and username.
// Needs better-auth and @libsql/kysely-libsql.
import { betterAuth } from "better-auth";
import { twoFactor, username } from "better-auth/plugins";
import { getMigrations } from "better-auth/db/migration";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { createClient } from "@libsql/client";
import { createHmac } from "node:crypto";
import fs from "node:fs";
fs.rmSync("better-auth-two-factor.db", { force: true });
const client = createClient({ url: "file:better-auth-two-factor.db" });
await client.executeMultiple("PRAGMA page_size = 1024; VACUUM;");
client.close();
const secret = "a secret of the fixture, and no other";
const options = {
  baseURL: "http://localhost:3000", secret,
  database: { dialect: new LibsqlDialect({ url: "file:better-auth-two-factor.db" }), type: "sqlite" },
  emailAndPassword: { enabled: true },
  plugins: [twoFactor({ issuer: "Example" }), username()],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
const made_at_ms = Date.now(); const out = [];
const cookies = (headers) => headers.getSetCookie().map((it) => it.split(";")[0]).join("; ");
// RFC 6238, over the base32 of the address that better-auth shows as a QR code.
const code = (uri) => {
  const text = new URL(uri).searchParams.get("secret");
  const bits = [...text].map((it) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(it).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((it) => parseInt(it, 2)));
  const step = Buffer.alloc(8); step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = createHmac("sha1", key).update(step).digest(); const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, "0");
};
for (const [name, turnsOn] of [["anna", true], ["bert", true], ["carl", false], ["dora", null]]) {
  const email = `${name}@example.com`, password = `correct horse of ${name}`;
  const { headers, response } = await auth.api.signUpEmail({ body: { name, email, password, username: name }, returnHeaders: true });
  const cookie = cookies(headers);
  const it = { id: response.user.id, username: name, password, uri: null, is_on: false };
  if (turnsOn !== null) {
    const enabled = await auth.api.enableTwoFactor({ headers: new Headers({ cookie }), body: { password } });
    it.uri = enabled.totpURI;
    if (turnsOn) {
      await auth.api.verifyTOTP({ headers: new Headers({ cookie }), body: { code: code(it.uri) } });
      it.is_on = true;
    }
  }
  out.push(it);
}
fs.writeFileSync("better-auth-two-factor.json", JSON.stringify({ source: "better-auth", secret, made_at_ms, users: out }, null, "\t") + "\n");
process.exit(0);
