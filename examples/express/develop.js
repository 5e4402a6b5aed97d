// What the proxy does for guarded paths, for development without one: it asks vestibule, leads strangers to the sign-in
// page and names the user in headers. Not for production, where it would be the only thing between a client and them.

// A browser that opens a page, and would show the sign-in page instead: no script, image or WebSocket.
const opensPage = (headers) =>
  (headers["sec-fetch-mode"] ?? "navigate") === "navigate" && /text\/html/i.test(headers.accept ?? "") &&
  !/websocket/i.test(headers.upgrade ?? "") && !/xmlhttprequest/i.test(headers["x-requested-with"] ?? "");

export const guard = (app, paths, whoIsThere, login) => {
  // As --guard: /admin with all that begins like it, /admin/ with what is below it alone.
  const begins = (path, it) => path.startsWith(it) || `${path}/` === it;
  const isGuarded = ({ path }) => paths.some((it) => begins(path.toLowerCase(), it.toLowerCase()));
  app.use(({ headers }, res, next) => {
    for (const name of Object.keys(headers)) if (/^remote\W|^remote_/.test(name)) delete headers[name];
    next();
  });
  app.use((req, res, next) => (isGuarded(req) ? whoIsThere(req, res, next) : next()));
  app.use((req, res, next) => {
    const { user, headers } = req;
    if (!isGuarded(req)) return next();
    if (!user && !opensPage(headers)) return res.status(401).send("Unauthorized");
    if (!user) { // 303 turns any method into GET, so that no body is sent twice.
      const way = new URL(login, "http://localhost:8080");
      way.searchParams.set("next", `${req.protocol}://${headers.host}${req.originalUrl}`);
      return res.redirect(["GET", "HEAD"].includes(req.method) ? 302 : 303, way.href);
    }
    headers["remote-id"] = user.id;
    headers["remote-user"] = encodeURIComponent(user.canonical_username);
    headers["remote-name"] = encodeURIComponent(user.username);
    headers["remote-groups"] = user.groups.join(",");
    if (user.email) headers["remote-email"] = encodeURIComponent(user.email);
    next();
  });
};
