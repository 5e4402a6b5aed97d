// The guide's app: sign-up, sign-in, profile and sign-out with Lucia v2 on Express. PORT, DATABASE and
// PAGE say where, on what, and with which page. Its SQLite settings are vestibule's.
import fs from "node:fs";
import express from "express";
import bodyParser from "body-parser";
import Database from "better-sqlite3";
import { lucia, LuciaError } from "lucia";
import { express as middleware } from "lucia/middleware";
import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";

const { PORT, DATABASE, PAGE } = process.env;
const page = fs.readFileSync(PAGE, "utf8");
const db = new Database(DATABASE);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.pragma("foreign_keys = ON");
db.exec(`
	CREATE TABLE IF NOT EXISTS user (id TEXT NOT NULL PRIMARY KEY, username TEXT NOT NULL UNIQUE);
	CREATE TABLE IF NOT EXISTS user_key (
		id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL REFERENCES user (id), hashed_password TEXT);
	CREATE TABLE IF NOT EXISTS user_session (
		id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL REFERENCES user (id),
		active_expires INTEGER NOT NULL, idle_expires INTEGER NOT NULL);`);

const auth = lucia({
	adapter: betterSqlite3(db, { user: "user", key: "user_key", session: "user_session" }),
	env: "PROD",
	middleware: middleware(),
	getUserAttributes: (user) => ({ username: user.username })
});

const isText = (text, least, most) =>
	typeof text === "string" && text.length >= least && text.length <= most;

const enter = async (req, res, user) => {
	const session = await auth.createSession({ userId: user.userId, attributes: {} });
	auth.handleRequest(req, res).setSession(session);
	return res.status(302).setHeader("Location", "/").end();
};

const app = express();
app.use(bodyParser.urlencoded({ extended: true }));

app.post("/signup", async (req, res) => {
	const { username, password } = req.body;
	if (!isText(username, 4, 31)) return res.status(400).send("Invalid username");
	if (!isText(password, 6, 255)) return res.status(400).send("Invalid password");
	try {
		const user = await auth.createUser({
			key: { providerId: "username", providerUserId: username, password },
			attributes: { username }
		});
		return await enter(req, res, user);
	} catch (err) {
		const isTaken = err.code?.startsWith("SQLITE_CONSTRAINT") || err instanceof LuciaError;
		if (isTaken) return res.status(400).send("Username already taken");
		return res.status(500).send("An unknown error occurred");
	}
});

app.post("/login", async (req, res) => {
	const { username, password } = req.body;
	if (!isText(username, 1, 31)) return res.status(400).send("Invalid username");
	if (!isText(password, 1, 255)) return res.status(400).send("Invalid password");
	try {
		return await enter(req, res, await auth.useKey("username", username, password));
	} catch (err) {
		if (err instanceof LuciaError) return res.status(400).send("Incorrect username or password");
		return res.status(500).send("An unknown error occurred");
	}
});

app.get("/", async (req, res) => {
	const session = await auth.handleRequest(req, res).validate();
	if (!session) return res.status(302).setHeader("Location", "/login").end();
	const { userId, username } = session.user;
	return res.type("html").send(page.replace("%%user_id%%", userId).replace("%%username%%", username));
});

app.post("/logout", async (req, res) => {
	const request = auth.handleRequest(req, res);
	const session = await request.validate();
	if (!session) return res.sendStatus(401);
	await auth.invalidateSession(session.sessionId);
	request.setSession(null);
	return res.status(302).setHeader("Location", "/login").end();
});

app.listen(Number(PORT), "127.0.0.1");
