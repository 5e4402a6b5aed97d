import Fastify from "fastify";

const AUTH = process.env.AUTH ?? "http://127.0.0.1:8080"; // vestibule, as this app reaches it
const app = Fastify();

// Who is signed in, or null.
async function whoIsThere(request, reply) {
  const answer = await fetch(`${AUTH}/session`, { headers: { cookie: request.headers.cookie ?? "" } }).catch((error) => error);
  if (!answer.ok && answer.status !== 401) {
    console.error(`${AUTH}/session does not say who is signed in:`, answer.cause ?? answer.status);
    reply.header("Retry-After", "1");
    throw Object.assign(new Error("The sign-in is out of order"), { statusCode: 503 });
  }
  reply.header("Set-Cookie", answer.headers.getSetCookie());
  return answer.ok ? (await answer.json()).user : null;
}

app.get("/", async (request, reply) => {
  const user = await whoIsThere(request, reply);
  return user ? `Hello ${user.username}` : "Hello stranger";
});
app.get("/api/me", async (request, reply) => {
  const user = await whoIsThere(request, reply);
  return user ? { name: user.username } : reply.code(401).send({ error: "not signed in" });
});
app.get("/private", async ({ headers }) => `Hello ${decodeURIComponent(headers["remote-name"])}`);
app.get("/admin", async ({ headers }, reply) =>
  headers["remote-groups"]?.split(",").includes("admin")
    ? `Hello administrator ${decodeURIComponent(headers["remote-name"])}` : reply.code(403).send("Forbidden"));

await app.listen({ port: process.env.PORT ?? 3000 });
