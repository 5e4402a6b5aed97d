// What the proxy does for guarded paths, for development without one: it asks vestibule, leads strangers to the sign-in
// page and names the user in headers. Not for production, where it would be the only thing between a client and them.
export const guard = (app, paths, whoIsThere, login) =>
  app.use(paths, whoIsThere, ({ user, headers }, res, next) => {
    for (const name of Object.keys(headers)) if (/^remote\W|^remote_/.test(name)) delete headers[name];
    if (!user) return res.redirect(login);
    headers["remote-id"] = user.id;
    headers["remote-user"] = encodeURIComponent(user.canonical_username);
    headers["remote-name"] = encodeURIComponent(user.username);
    headers["remote-groups"] = user.groups.join(",");
    if (user.email) headers["remote-email"] = encodeURIComponent(user.email);
    next();
  });
