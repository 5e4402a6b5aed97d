// What people do, with scripts and without.

import assert from "node:assert/strict";

import {
    at, backTo, browse, formTo, inhabit, link, linkIn, linkTo, mailTo, operate, prefix, serve, serveElsewhere, serveNamed,
    serveWithMail,
} from "./site.mjs";
import { freeUsername, visit } from "./visitor.mjs";

const PASSWORD = "three unrelated words";

export async function register(check, browser) {
    const site = await serve("--password-policy", "standard", "--throttle-free", "50");
    await inhabit(site);
    const short = await serve("--active", "1s", "--idle", "1s", "--absolute", "2s");

    const third = await serveElsewhere((_, response) => response.end("there"), "localhost");
    const app = await serveElsewhere(({ url }, response) => {
        response.writeHead(302, { location: `${third.url}/from${url}` }).end();
    });
    const guarding = await serveNamed("--app", app.url);

    // Another browser of the user signs in, and ends all other sessions.
    const endOtherSessions = async (username) => {
        const other = await visit(browser, site);
        await other.open("/login");
        await other.send({ username, password: PASSWORD });
        await other.open("/account/sessions");
        await other.click(`${formTo("/account/sessions/end-others")} button`);
        await other.leave();
    };

    check("arrives at a third host where the app leads there after signing in", async () => {
        const visitor = await visit(browser, guarding);
        visitor.turnTo(app);
        visitor.turnTo(third);
        visitor.turnTo(guarding);
        const username = freeUsername();
        const next = `?next=${encodeURIComponent(`${app.url}/a`)}`;
        await visitor.open(`/signup${next}`);
        await visitor.send({ username, password: PASSWORD });
        assert.equal(visitor.page.url(), `${third.url}/from/a`);
        await visitor.context.clearCookies();
        await visitor.open(`/login${next}`);
        await visitor.send({ username, password: "wrong words" });
        await visitor.send({ username, password: PASSWORD });
        assert.equal(visitor.page.url(), `${third.url}/from/a`);
        await visitor.leave();
    });

    const verifying = await serveWithMail("--names", "address", "--verify-before-sign-in");
    for (const language of ["en", "de", "fr"]) {
        check(`leads from sign-up with an address to the profile by the link in a mail, in ${language}`, async () => {
            const visitor = await visit(browser, verifying, { locale: language });
            const username = `${freeUsername()}@Example.com`;
            const password = "three unrelated words";
            await visitor.open("/signup");
            assert.equal(await visitor.focused(), "username");
            await visitor.send({ username, password });
            assert.equal(await visitor.path(), "/signup");
            await visitor.open("/login");
            await visitor.send({ username, password });
            assert.equal(await visitor.path(), "/login");
            await visitor.open(linkIn(verifying, await mailTo(verifying, username)));
            assert.match(await visitor.path(), /^\/login\?verify=/);
            await visitor.send({ username, password });
            assert.equal(await visitor.path(), "/");
            await visitor.open("/account/email");
            assert.ok((await visitor.page.textContent("main")).includes(username));
            await visitor.leave();
        });
    }
    const mailing = await serveWithMail();
    for (const language of ["en", "de", "fr"]) {
        check(`leads from a forgotten password to a new one by the link in a mail, in ${language}`, async () => {
            const visitor = await visit(browser, mailing, { locale: language });
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.context.clearCookies();
            operate(mailing, "user", "email", username, `${username}@example.com`);
            await visitor.open("/login");
            await visitor.click(linkTo("/forgot"));
            assert.equal(await visitor.focused(), "name");
            await visitor.send({ name: username });
            await visitor.open(linkIn(mailing, await mailTo(mailing, `${username}@example.com`)));
            assert.equal(await visitor.focused(), "password");
            await visitor.send({ password: "four more unrelated words" });
            assert.equal(await visitor.path(), "/login");
            await visitor.send({ username, password: "four more unrelated words" });
            assert.equal(await visitor.path(), "/");
            await visitor.leave();
        });
    }

    for (const javaScriptEnabled of [false, true]) {
        const how = javaScriptEnabled ? "with scripts on" : "with scripts off";
        const flow = (name, body) =>
            check(`${name}, ${how}`, async () => {
                const visitor = await visit(browser, site, { javaScriptEnabled });
                await body(visitor, visitor.page);
                await visitor.leave();
            });

        flow("leads from sign-up to the profile, out and in again", async (visitor, page) => {
            const username = freeUsername();
            await visitor.open("/");
            assert.equal(await visitor.path(), "/login");
            await visitor.click(linkTo("/signup"));
            await visitor.send({ username, password: PASSWORD });
            assert.equal(await visitor.path(), "/");
            assert.match(await page.textContent("main"), new RegExp(username));
            await visitor.click(`${formTo("/logout")} button`);
            assert.equal(await visitor.path(), "/login");
            await visitor.send({ username, password: PASSWORD });
            assert.equal(await visitor.path(), "/");
        });

        flow("says what was wrong where the eye and the screen reader are", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.click(`${formTo("/logout")} button`);
            assert.equal(await visitor.focused(), "username");
            await refused(visitor, { username, password: "wrong words" }, {
                says: "Incorrect username or password",
                focus: "password",
                username,
            });
            await visitor.open("/signup");
            await refused(visitor, { username, password: "another user's words" }, {
                says: "Username already taken",
                focus: "username",
                username,
            });
            await refused(visitor, { username: freeUsername(), password: "seven77" }, {
                says: "Invalid password",
                focus: "password",
            });
            assert.match(await page.textContent("[role=alert]"), /At least 8 characters/);
            await refused(visitor, { username: "a", password: PASSWORD }, {
                says: "Invalid username",
                focus: "username",
                username: "a",
            });
        });

        flow("tells a user whose session has ended meanwhile, and leads to the sign-in", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.open("/account");
            await endOtherSessions(username);
            await visitor.send({ current_password: PASSWORD, password: "four more unrelated words" });
            assert.equal(await page.textContent("h1"), "Unauthorized");
            await visitor.click("main a");
            assert.equal(await visitor.path(), `/login?next=${prefix}/account`);
            await visitor.send({ username, password: PASSWORD });
            assert.equal(await visitor.path(), "/account");
        });

        flow("leaves a user signed out whose session has ended before they sign out", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.open("/");
            await endOtherSessions(username);
            await visitor.click(`${formTo("/logout")} button`);
            assert.equal(await page.textContent("h1"), "Signed out");
            await visitor.click("main a");
            assert.equal(await visitor.path(), "/login");
        });

        flow("makes one account and stays signed in when the button is clicked twice", async (visitor, page) => {
            for (const delay of [0, 10, 60]) {
                const username = freeUsername();
                for (const path of ["/signup", "/login"]) {
                    await visitor.open(path);
                    await page.fill("#username", username);
                    await page.fill("#password", PASSWORD);
                    await page.click("button", { clickCount: 2, delay });
                    await page.waitForURL((url) => url.pathname !== at(path));
                    // The second click may have come when the next page was there already.
                    await page.waitForTimeout(300);
                    assert.equal(await page.getByRole("alert").count(), 0);
                    await visitor.open("/");
                    assert.equal(await visitor.path(), "/");
                    assert.ok((await page.textContent("main")).includes(username));
                    await visitor.click(`${formTo("/logout")} button`);
                }
            }
        });

        flow("ends nothing by the second click of a double click that led to the page", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            const button = page.locator(`${formTo("/logout")} button`);
            const { x, y, width, height } = await button.boundingBox();
            await visitor.open("/");
            await page.mouse.click(x + width / 2, y + height / 2);
            await page.waitForTimeout(300);
            assert.equal(await visitor.path(), "/");
            assert.ok((await page.textContent("main")).includes(username));
            await button.click();
            assert.equal(await visitor.path(), "/login");
        });

        flow("keeps two tabs in step", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.click(`${formTo("/logout")} button`);
            const other = await visitor.context.newPage();
            await other.goto(`${site.url}/login`);
            await visitor.send({ username, password: PASSWORD });
            // The form that is still open there works, and the session that it begins is that of both.
            await other.fill("#username", username);
            await other.fill("#password", PASSWORD);
            await other.click("button");
            await other.waitForURL(`${site.url}/`);
            await page.reload();
            assert.equal(await visitor.path(), "/");
            await other.click(`${formTo("/logout")} button`);
            await other.waitForURL(`${site.url}/login`);
            await visitor.click(linkTo("/account"));
            assert.equal(await visitor.path(), backTo("/account"));
        });

        flow("asks nothing when the page behind a form is loaded again", async (visitor, page) => {
            const username = freeUsername();
            const reloads = async (path) => {
                const answer = await page.reload();
                assert.equal(answer.request().method(), "GET", path);
                assert.equal(await visitor.path(), path);
            };
            await visitor.signUp(username);
            await reloads("/");
            await visitor.open("/account");
            await visitor.send({ current_password: PASSWORD, password: "four more unrelated words" });
            await reloads("/account");
            await visitor.open("/");
            await visitor.click(`${formTo("/logout")} button`);
            await reloads("/login");
        });

        flow("needs no mouse", async (visitor, page) => {
            const username = freeUsername();
            const { keyboard } = page;
            const at = async (id) => assert.equal(await visitor.focused(), id);
            const press = async (...keys) => {
                for (const key of keys) await keyboard.press(key);
            };
            await visitor.open("/signup");
            await at("username");
            await keyboard.type(username);
            await press("Tab");
            await at("password");
            await keyboard.type("short");
            await arrive(page, () => press("Enter"));
            await at("password");
            await keyboard.type(PASSWORD);
            await arrive(page, () => press("Tab", "Enter"));
            assert.equal(await visitor.path(), "/");
            await arrive(page, () => press("Tab", "Tab", "Tab", "Enter"));
            assert.equal(await visitor.path(), "/login");
            await at("username");
            await keyboard.type(username);
            await press("Tab");
            await keyboard.type(PASSWORD);
            await press("Tab", "Space");
            assert.equal(await page.isChecked("[name=remember]"), false);
            await arrive(page, () => press("Tab", "Enter"));
            assert.equal(await visitor.path(), "/");
            await arrive(page, () => press("Tab", "Tab", "Enter"));
            assert.equal(await visitor.path(), "/account");
            // Deleting it: the last field and the last button.
            await page.focus("#delete-password");
            await keyboard.type(PASSWORD);
            await arrive(page, () => press("Tab", "Space"));
            assert.equal(await visitor.path(), "/login");
        });
    }

    check("shows nothing private to who goes back after signing out", async () => {
        // With the cache in which browsers keep whole pages, which Playwright turns off.
        const ignored = ["--disable-back-forward-cache"];
        const own = await browse({ ignoreDefaultArgs: ignored });
        for (const javaScriptEnabled of [false, true]) {
            const visitor = await visit(own, site, { javaScriptEnabled });
            const username = freeUsername("private");
            await visitor.signUp(username);
            await visitor.open("/account");
            await visitor.open("/");
            await visitor.click(`${formTo("/logout")} button`);
            for (let steps = 0; steps < 3; steps += 1) {
                // A page that is brought back whole has no event to wait for.
                await visitor.page.goBack({ waitUntil: "commit", timeout: 1_000 }).catch(() => {});
                await visitor.page.waitForTimeout(300);
                const text = await visitor.page.content();
                assert.ok(!text.includes(username), `${await visitor.path()}: ${text}`);
            }
            await visitor.leave();
        }
        await own.close();
    });

    check("leads to the sign-in when a session has run out", async () => {
        const visitor = await visit(browser, short);
        await visitor.signUp(freeUsername());
        await visitor.page.waitForTimeout(2_100);
        await visitor.click(linkTo("/account"));
        assert.equal(await visitor.path(), backTo("/account"));
        await visitor.leave();
    });

    check("sets a password by a link, and lets the link work once", async () => {
        const visitor = await visit(browser, site);
        const username = freeUsername();
        await visitor.signUp(username);
        const path = link(site, "user", "reset-link", username);
        await visitor.open(path);
        await visitor.send({ password: "an altogether new one" });
        assert.equal(await visitor.path(), "/login");
        await visitor.send({ username, password: "an altogether new one" });
        assert.equal(await visitor.path(), "/");
        assert.equal((await visitor.open(path)).status(), 404);
        await visitor.leave();
    });
}

/** Sends what will be refused and looks at the form that comes back. */
async function refused(visitor, fields, expected) {
    await visitor.send(fields);
    const { page } = visitor;
    const alert = page.getByRole("alert");
    assert.equal(await alert.locator("strong").textContent(), expected.says);
    assert.equal(await visitor.focused(), expected.focus);
    const field = page.locator(`#${expected.focus}`);
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    const described = (await field.getAttribute("aria-describedby")).split(" ");
    assert.ok(described.includes(await alert.getAttribute("id")));
    assert.equal(await page.inputValue("#username"), fields.username);
    assert.equal(await page.inputValue("#password"), "");
}

/** Does what leads to another page, and waits for it. */
async function arrive(page, act) {
    await Promise.all([page.waitForNavigation(), act()]);
}
