// The app of the guide, without its sign-in code: a profile page behind the sign-in. GET / asks vestibule
// who is there; /private and /admin are guarded by the proxy, which names the user in a header.
import express from "express";

const AUTH = process.env.AUTH ?? "http://127.0.0.1:8080"; // vestibule, as this app reaches it
// Its addresses for browsers: on the host of this app, but not while developing (start.sh).
const { LOGIN = "/login", LOGOUT = "/logout" } = process.env;
const app = express();

// Sets req.user: who is signed in, or null.
async function whoIsThere(req, res, next) {
  const answer = await fetch(`${AUTH}/session`, { headers: { cookie: req.headers.cookie ?? "" } }).catch((error) => error);
  if (!answer.ok && answer.status !== 401) {
    console.error(`${AUTH}/session does not say who is signed in:`, answer.cause ?? answer.status);
    return res.status(503).set("Retry-After", "1").send("The sign-in is out of order");
  }
  for (const cookie of answer.headers.getSetCookie()) res.append("Set-Cookie", cookie);
  req.user = answer.ok ? (await answer.json()).user : null;
  next();
}

const escape = (text) => text.replace(/[&<>"]/g, (it) => `&#${it.charCodeAt(0)};`);

app.get("/", whoIsThere, ({ user }, res) => {
  if (!user) return res.redirect(LOGIN);
  res.send(`<h1>Profile</h1><p>User id: ${escape(user.id)}</p><p>Username: ${escape(user.username)}</p>
    <form method="post" action="${LOGOUT}"><input type="submit" value="Sign out"></form>`);
});
app.get("/api/me", whoIsThere, ({ user }, res) =>
  user ? res.json({ name: user.username }) : res.status(401).json({ error: "not signed in" }));
// Without a proxy, while developing.
if (process.env.NODE_ENV === "development") (await import("./develop.js")).guard(app, ["/private", "/admin"], whoIsThere, LOGIN);
app.get("/private", (req, res) => res.send(`Hello ${escape(decodeURIComponent(req.get("Remote-Name") ?? ""))}`));
app.get("/admin", (req, res) => {
  if (!(req.get("Remote-Groups") ?? "").split(",").includes("admin")) return res.sendStatus(403);
  res.send(`Hello administrator ${escape(decodeURIComponent(req.get("Remote-Name")))}`);
});

app.listen(process.env.PORT ?? 3000, "127.0.0.1");
