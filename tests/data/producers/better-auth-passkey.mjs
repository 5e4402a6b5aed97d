// Makes better-auth-passkey.db as better-auth writes it, with its plugins passkey and username. The authenticator is a
// few lines of WebCrypto; its private keys are in the JSON.
// Needs better-auth, @better-auth/passkey and @libsql/kysely-libsql.
import { betterAuth } from "better-auth";
import { username } from "better-auth/plugins";
import { passkey } from "@better-auth/passkey";
import { getMigrations } from "better-auth/db/migration";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { createClient } from "@libsql/client";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import fs from "node:fs";
fs.rmSync("better-auth-passkey.db", { force: true });
const client = createClient({ url: "file:better-auth-passkey.db" });
await client.executeMultiple("PRAGMA page_size = 1024; VACUUM;");
client.close();
const site = "https://auth.example.com", rpID = "auth.example.com";
const options = {
  baseURL: site, secret: "a secret of the fixture, and no other",
  database: { dialect: new LibsqlDialect({ url: "file:better-auth-passkey.db" }), type: "sqlite" },
  emailAndPassword: { enabled: true },
  plugins: [passkey({ rpName: "Example" }), username()],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
const made_at_ms = Date.now(), out = [];
const jar = (headers, old = "") => [old, ...headers.getSetCookie().map((it) => it.split(";")[0])].filter(Boolean).join("; ");
const b64 = (bytes) => Buffer.from(bytes).toString("base64url");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const call = async (path, cookie, body) => {
  const headers = { origin: site, cookie, "content-type": "application/json" };
  const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const answer = await auth.handler(new Request(`${site}/api/auth${path}`, init));
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
};
// A key as COSE writes it, and what signs with it.
const makeKey = (kind) => {
  if (kind === "RS256") {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const n = Buffer.from(pair.publicKey.export({ format: "jwk" }).n, "base64url");
    return { pair, cose: Buffer.concat([Buffer.from("a401030339010020590100", "hex"), n, Buffer.from("2143010001", "hex")]) };
  }
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x, y } = pair.publicKey.export({ format: "jwk" });
  const parts = ["a5010203262001215820", Buffer.from(x, "base64url").toString("hex"), "225820", Buffer.from(y, "base64url").toString("hex")];
  return { pair, cose: Buffer.from(parts.join(""), "hex") };
};
const data = (flags, count, rest = Buffer.alloc(0)) => {
  const head = Buffer.alloc(5); head[0] = flags; head.writeUInt32BE(count, 1);
  return Buffer.concat([sha256(rpID), head, rest]);
};
const client_data = (type, challenge) => Buffer.from(JSON.stringify({ type, challenge, origin: site, crossOrigin: false }));
const cbor_bytes = (bytes) => {
  const head = Buffer.from([0x59, bytes.length >> 8, bytes.length & 255]);
  return Buffer.concat([head, bytes]);
};
for (const [name, keys] of [
  ["anna", [
    { kind: "ES256", flags: 0x1d, count: 0, name: "Phone", transports: ["internal", "hybrid"] },
    { kind: "ES256", flags: 0x05, count: 7, name: undefined, transports: ["usb", "nfc"], is_used: true },
  ]],
  ["bert", [{ kind: "RS256", flags: 0x01, count: 0, name: "Windows", transports: undefined }]],
  ["carl", []],
]) {
  const email = `${name}@example.com`, password = `correct horse of ${name}`;
  const up = await call("/sign-up/email", "", { name, email, password, username: name });
  const cookie = jar(up.headers);
  const it = { id: (await up.json()).user.id, username: name, password, passkeys: [] };
  for (const key of keys) {
    const asked = await call("/passkey/generate-register-options", cookie);
    const both = jar(asked.headers, cookie), { challenge } = await asked.json();
    const { pair, cose } = makeKey(key.kind), id = randomBytes(32);
    const length = Buffer.from([0, id.length]);
    const made = data(key.flags | 0x40, key.count, Buffer.concat([Buffer.alloc(16), length, id, cose]));
    const attestation = Buffer.concat([Buffer.from("a363666d74646e6f6e656761747453746d74a0686175746844617461", "hex"), cbor_bytes(made)]);
    const response = {
      id: b64(id), rawId: b64(id), type: "public-key", clientExtensionResults: {},
      response: { clientDataJSON: b64(client_data("webauthn.create", challenge)), attestationObject: b64(attestation), transports: key.transports },
    };
    await call("/passkey/verify-registration", both, { response, name: key.name });
    let count = key.count;
    if (key.is_used) {
      const offered = await call("/passkey/generate-authenticate-options", "");
      const { challenge } = await offered.json();
      const used = data(key.flags, ++count), client = client_data("webauthn.get", challenge);
      const signature = sign("sha256", Buffer.concat([used, sha256(client)]), pair.privateKey);
      const response = {
        id: b64(id), rawId: b64(id), type: "public-key", clientExtensionResults: {},
        response: { clientDataJSON: b64(client), authenticatorData: b64(used), signature: b64(signature) },
      };
      await call("/passkey/verify-authentication", jar(offered.headers), { response });
    }
    it.passkeys.push({
      id: b64(id), name: key.name ?? null, kind: key.kind, sign_count: count, is_backed_up: (key.flags & 0x10) !== 0,
      transports: key.transports ?? [], pkcs8: b64(pair.privateKey.export({ format: "der", type: "pkcs8" })),
    });
  }
  out.push(it);
}
const version = (name) => JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version;
const made_with = Object.fromEntries(["better-auth", "@better-auth/passkey", "@libsql/kysely-libsql"].map((it) => [it, version(it)]));
made_with.node = process.version;
fs.writeFileSync("better-auth-passkey.json", JSON.stringify({ source: "better-auth", made_with, made_at_ms, rp_id: rpID, users: out }, null, "\t") + "\n");
process.exit(0);
