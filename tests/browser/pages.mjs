// Every page in every state, looked at: by axe, by its figures, by a picture for those who want to see it.
// Below a path of its host a page looks the same, so there it only has to arrive whole, in one language, and to
// name no address but the site's own.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { at, axe, formTo, inhabit, link, linkIn, mailTo, operate, pictures, prefix, serve, serveLocalhost, serveNamed, serveWithMail, work } from "./site.mjs";
import { LOGO, LOOKS, measureLooks } from "./looks.mjs";
import { plugIn } from "./passkeys.mjs";
import { freeUsername, visit } from "./visitor.mjs";

const PASSWORD = "three unrelated words";
const BYTES_MAX = 10_240;
/** Of a page with a QR code. */
const QR_BYTES_MAX = 15_360;
/** Of a page with the script and with what it is to ask the browser for. */
const SCRIPT_BYTES_MAX = 15_360;
/** Of a page with both. */
const SCRIPT_AND_QR_BYTES_MAX = 20_480;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WIDTHS = [[320, 640], [390, 844], [768, 1024], [1280, 900]];
const LANGUAGES = [["en", "en-GB,en;q=0.9"], ["de", "de-AT,de;q=0.9,en;q=0.5"], ["fr", "fr-CH,fr;q=0.9,en;q=0.5"]].slice(0, prefix ? 1 : 3);
/** Addresses in the document that answer with no page. */
const NO_PAGES = ["/healthz", "/session", "/whoami", "/style.css", "/passkey.js", "/icon.svg", "/logo", "/.well-known/change-password"];
/** Pages for users whose states are listed one by one below; any other is opened by a new user and by one with a long history. */
const SEVERAL_STATES = ["/account", "/account/email", "/account/passkeys", "/account/prove", "/account/second-factor", "/account/sessions", "/account/tokens"];
const DOCUMENT = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8");

const weights = [];
const reached = new Set();
let axed = 0;
let taken = 0;
let states = 0;

export async function register(check, browser) {
    const logo = join(work, "logo.svg");
    writeFileSync(logo, LOGO);
    const css = join(work, "own.css");
    writeFileSync(css, LOOKS["two sets by a media query"]);
    const site = await serve("--password-policy", "standard", "--basic-auth", "--throttle-free", "3");
    const plain = await serve();
    const strict = await serve("--second-factor", "required");
    await inhabit(strict);
    await inhabit(site);
    await inhabit(plain);
    const invite = await serve("--signup", "invite");
    const own = await serve(
        "--signup", "closed", "--title", "Haus am See & Söhne", "--logo", logo, "--css", css,
        "--help-text", "Questions? Ask at the front desk, extension 12.",
    );
    const apps = Array.from({ length: 20 }, (_, place) => `App number ${place}=http://127.0.0.1:${40_000 + place}`);
    const many = await serveNamed("--app", apps.join(","), "--basic-auth", "--throttle-free", "1000");
    await inhabit(many);
    const mailing = await serveWithMail("--basic-auth");
    await inhabit(mailing);
    const verifying = await serveWithMail("--names", "address", "--verify-before-sign-in");
    const asking = await serveWithMail("--signup-email", "optional");
    const keyed = await serveLocalhost();
    await inhabit(keyed);
    const busy = await serve("--hashers", "1");
    await inhabit(busy);

    /** A state: where it is, and how a visitor comes there. */
    const state = (name, where, come, expected = {}) =>
        check(`shows ${name} well`, () => look(browser, name, where, come, expected));
    const open = (path) => (visitor) => visitor.open(path);
    const enter = (path, fields, form) => async (visitor) => {
        await visitor.open(path);
        await visitor.send(typeof fields === "function" ? fields(visitor) : fields, form);
    };
    const known = async (visitor) => {
        visitor.username = freeUsername();
        await visitor.signUp(visitor.username);
    };

    const owners = new Map();
    // Signs in as the user who has many of these, who is made once.
    const oneWith = async (what, visitor, make) => {
        if (!owners.has(what)) {
            await known(visitor);
            owners.set(what, visitor.username);
            await make(visitor.username);
        } else {
            await visitor.open("/login");
            // Chromium complains where something else has the focus by the time of the field's own.
            await visitor.focused();
            await visitor.send({ username: owners.get(what), password: PASSWORD });
        }
    };

    state("sign-up", site, open("/signup"));
    state("sign-up, password too short", site, enter("/signup", { username: "anna", password: "short" }), { status: 400 });
    state("sign-up, password too common", site, enter("/signup", { username: "anna", password: "password1" }), { status: 400 });
    state("sign-up, name not good", site, enter("/signup", { username: "a", password: PASSWORD }), { status: 400 });
    state("sign-up, name taken", site, async (visitor) => {
        await known(visitor);
        await visitor.context.clearCookies();
        await visitor.open("/signup");
        await visitor.send({ username: visitor.username, password: "another user's words" });
    }, { status: 400 });
    state("sign-up by invitation", invite, async (visitor) => {
        await visitor.open(link(invite, "invite", "new"));
    });
    state("sign-up without an invitation", invite, open("/signup"), { status: 403 });
    state("sign-up with a bad invitation", invite, open("/signup?invite=x"), { status: 403 });
    state("sign-up that is closed", own, open("/signup"), { status: 403 });
    state("sign-in", site, open("/login"));
    state("sign-in, refused", site, enter("/login", () => ({ username: freeUsername(), password: "wrong" })), { status: 400 });
    state("sign-in, too many attempts (429)", site, async (visitor) => {
        const username = freeUsername();
        // However slow this goes: the wait doubles with each try.
        for (let tries = 0, status = 0; tries < 12 && status !== 429; tries += 1) {
            await visitor.open("/login");
            await visitor.send({ username, password: "wrong" });
            const document = visitor.requests.filter((it) => it.isNavigationRequest()).at(-1);
            status = (await document.response()).status();
        }
    }, { status: 429 });
    state("sign-in in the operator's look", own, open("/login"));
    state("sign-in on a site that mails", mailing, open("/login"));
    state("a forgotten password", mailing, open("/forgot"));
    state("a forgotten password, asked for a link", mailing, enter("/forgot", { name: "anna@example.com" }));
    state("a forgotten password, refused", mailing, enter("/forgot", { name: "   " }), { status: 400 });
    state("the account, on a site that mails", mailing, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
    });
    state("an e-mail address, none yet", mailing, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/email");
    });
    state("an e-mail address that counts", mailing, async (visitor) => {
        await known(visitor);
        operate(mailing, "user", "email", visitor.username, `${"a-long-name-".repeat(4)}${visitor.username}@mail.example.com`);
        await visitor.open("/account/email");
    });
    state("an e-mail address, refused", mailing, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/email");
        await visitor.send({ email: "anna@example" }, formTo("/account/email"));
    }, { status: 400 });
    state("an e-mail address, a link is sent there", mailing, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/email");
        await visitor.send({ email: `${visitor.username}@example.com` }, formTo("/account/email"));
    });
    state("an e-mail address, behind its link", mailing, async (visitor) => {
        await enterAddress(visitor, mailing, known);
    });
    state("an e-mail address, verified", mailing, async (visitor) => {
        await enterAddress(visitor, mailing, known);
        await visitor.click("form button");
    });
    state("sign-up with an address as the name", verifying, open("/signup"));
    state("sign-up with an address as the name, refused", verifying, enter("/signup", { username: "anna@example", password: PASSWORD }), { status: 400 });
    state("sign-up with an address as the name, a link is mailed", verifying, enterNewAddress);
    state("sign-up with an address beside the name", asking, open("/signup"));
    state("sign-up with an address beside the name, refused", asking, enter("/signup", { username: "anna", email: "anna@example", password: PASSWORD }), { status: 400 });
    state("sign-in with an address that is not verified", verifying, async (visitor) => {
        const address = await enterNewAddress(visitor);
        await visitor.open("/login");
        await visitor.send({ username: address, password: PASSWORD });
    }, { status: 403 });
    state("sign-in behind the link that verifies an address", verifying, async (visitor) => {
        await visitor.open(linkIn(verifying, await mailTo(verifying, await enterNewAddress(visitor))));
    });
    state("the profile of a user with a long address", verifying, async (visitor) => {
        const address = await enterNewAddress(visitor, "W".repeat(40), `${"w".repeat(60)}.`.repeat(2));
        await visitor.open(linkIn(verifying, await mailTo(verifying, address)));
        await visitor.send({ username: address, password: PASSWORD });
    });
    state("the profile", site, known);
    state("the profile of a user with a long name", site, async (visitor) => {
        await visitor.signUp(`${"W".repeat(27)}${Math.floor(Math.random() * 9_000) + 1_000}`);
    });
    state("the account", plain, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
    });
    state("the account, with access tokens", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
    });
    state("the account, new password refused", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
        await visitor.send({ current_password: PASSWORD, password: "short" }, formTo("/account/password"));
    }, { status: 400 });
    state("the account, present password refused", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
        await visitor.send({ current_password: "wrong", password: PASSWORD }, formTo("/account/password"));
    }, { status: 400 });
    state("the account, not deleted", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
        await visitor.send({ password: "wrong" }, formTo("/account/delete"));
    }, { status: 400 });
    state("sessions", site, async (visitor) => {
        await known(visitor);
        for (let others = 0; others < 2; others += 1) {
            const body = new URLSearchParams({ username: visitor.username, password: PASSWORD });
            const userAgent = ["curl/8.0", "something else"][others];
            await fetch(`${site.url}/login`, { method: "POST", body, redirect: "manual", headers: { "user-agent": userAgent } });
        }
        await visitor.open("/account/sessions");
    });
    state("the sign-in after a sign-out", site, async (visitor) => {
        await known(visitor);
        await visitor.click(`${formTo("/logout")} button`);
    });
    state("the account, password changed", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
        const fields = { current_password: PASSWORD, password: "four more unrelated words" };
        await visitor.send(fields, formTo("/account/password"));
    });
    state("access tokens, none yet", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/tokens");
    });
    state("access tokens, one just made", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/tokens");
        await visitor.page.fill("#name", "Backup of the wiki");
        await visitor.page.selectOption("#days", "365");
        await visitor.click(`${formTo("/account/tokens")} button`);
    });
    state("access tokens, refused", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/tokens");
        await visitor.page.fill("#name", "   ");
        await visitor.click(`${formTo("/account/tokens")} button`);
    }, { status: 400 });
    state("access tokens, revoked", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account/tokens");
        await visitor.page.fill("#name", "Backup of the wiki");
        await visitor.click(`${formTo("/account/tokens")} button`);
        await visitor.click(`${formTo("/account/tokens/revoke")} button`);
    });
    state("confirming who it is, which was done lately", site, async (visitor) => {
        await known(visitor);
        await visitor.open(`/account/prove?next=${at("/account/sessions")}`);
    });
    state("confirming who it is, refused", site, async (visitor) => {
        await known(visitor);
        // A user who has just signed in is led on instead of getting the form, but may send one.
        await visitor.page.evaluate(([action, change]) => {
            const form = document.querySelector(change);
            form.action = action;
            form.querySelector("button").textContent = "x";
        }, [at("/account/prove"), formTo("/logout")]);
        await visitor.click(`${formTo("/account/prove")} button`);
    }, { status: 400 });
    const accountPages = documented("The following are for signed-in users.").filter((it) => it.startsWith("GET "));
    for (const path of accountPages.map((it) => it.slice(4)).filter((it) => !SEVERAL_STATES.includes(it))) {
        state(`the page ${path}`, site, async (visitor) => {
            await known(visitor);
            await visitor.open(path);
        });
        state(`the page ${path} of a user with a long history, the second page if it has several`, many, async (visitor) => {
            await oneWith("sessions", visitor, (username) => signInElsewhere(many, username, 99));
            await visitor.open(`${path}?page=2`);
        });
    }
    const PASSKEYS = "/account/passkeys";
    // Sends a form of a passkey as it is, past the script.
    const sendBare = async (visitor, form) => {
        // What is still on its way would be given up, and counts as failed.
        await visitor.page.waitForLoadState("networkidle");
        await Promise.all([visitor.page.waitForNavigation(), visitor.page.$eval(form, (it) => it.submit())]);
    };
    const passkeys = async (visitor) => {
        // What looks at a page may end the session that the one before belongs to. Where it is still there, it would answer
        // that it does not know the passkey.
        await visitor.key?.pullOut().catch(() => {});
        visitor.key = await plugIn(visitor, "usb", true);
        await known(visitor);
        await visitor.open(PASSKEYS);
        await visitor.click(`${formTo(PASSKEYS)} button`);
    };
    const onKeyed = (name, come, expected = {}) =>
        state(name, keyed, come, { scripts: 1, bytes: SCRIPT_BYTES_MAX, ...expected });
    onKeyed("sign-in, with passkeys", open("/login"));
    onKeyed("sign-in, a passkey refused", async (visitor) => {
        await visitor.open("/login");
        await sendBare(visitor, formTo("/login/passkey"));
    }, { status: 400 });
    onKeyed("passkeys, none yet", async (visitor) => {
        await known(visitor);
        await visitor.open(PASSKEYS);
    });
    onKeyed("passkeys, one refused", async (visitor) => {
        await known(visitor);
        await visitor.open(PASSKEYS);
        await sendBare(visitor, formTo(PASSKEYS));
    }, { status: 400 });
    onKeyed("passkeys, one added", passkeys);
    onKeyed("passkeys, one renamed", async (visitor) => {
        await passkeys(visitor);
        await visitor.page.fill("ul.rows [name=name]", "The key on the ring of keys");
        await visitor.click(`${formTo(`${PASSKEYS}/rename`)} button`);
    });
    onKeyed("passkeys, one removed", async (visitor) => {
        await passkeys(visitor);
        await visitor.click(`${formTo(`${PASSKEYS}/remove`)} button`);
    });
    const SECOND_FACTOR = "/account/second-factor";
    const setUp = async (visitor) => {
        await known(visitor);
        await visitor.open(SECOND_FACTOR);
        const secret = await visitor.page.textContent("code");
        await visitor.send({ code: codeOf(secret) }, `form:has([name=enrolment])`);
        return secret;
    };
    const withSecondFactor = async (visitor) => {
        await setUp(visitor);
        await visitor.open(SECOND_FACTOR);
    };
    const waiting = async (visitor) => {
        await setUp(visitor);
        await visitor.context.clearCookies();
        await visitor.open("/login");
        await visitor.send({ username: visitor.username, password: PASSWORD });
    };
    const SECOND = `form[action="${at(SECOND_FACTOR)}"][data-passkey]`;
    const withPasskeyAsFactor = async (visitor) => {
        await passkeys(visitor);
        await visitor.open(SECOND_FACTOR);
        await visitor.click(`${SECOND} button`);
    };
    onKeyed("a second factor, none yet and a passkey", async (visitor) => {
        await passkeys(visitor);
        await visitor.open(SECOND_FACTOR);
    }, { bytes: SCRIPT_AND_QR_BYTES_MAX });
    onKeyed("a second factor, none yet and a passkey refused", async (visitor) => {
        await passkeys(visitor);
        await visitor.open(SECOND_FACTOR);
        await visitor.page.$eval(`${SECOND} [name=credential]`, (it) => { it.value = "{}"; });
        await sendBare(visitor, SECOND);
    }, { status: 400, bytes: SCRIPT_AND_QR_BYTES_MAX });
    onKeyed("a second factor that is on with a passkey alone", async (visitor) => {
        await withPasskeyAsFactor(visitor);
        await visitor.open(SECOND_FACTOR);
    });
    onKeyed("the second step of a sign-in with a passkey and no app", async (visitor) => {
        await withPasskeyAsFactor(visitor);
        await visitor.context.clearCookies();
        await visitor.open("/login");
        await visitor.send({ username: visitor.username, password: PASSWORD });
    });
    state("a second factor, none yet", site, async (visitor) => {
        await known(visitor);
        await visitor.open(SECOND_FACTOR);
    }, { bytes: QR_BYTES_MAX });
    state("a second factor, its code refused", site, async (visitor) => {
        await known(visitor);
        await visitor.open(SECOND_FACTOR);
        await visitor.send({ code: "12345" }, `form:has([name=enrolment])`);
    }, { status: 400, bytes: QR_BYTES_MAX });
    state("a second factor, set up while signing in", strict, async (visitor) => {
        await visitor.open("/signup");
        await visitor.send({ username: freeUsername(), password: PASSWORD });
    }, { bytes: QR_BYTES_MAX });
    state("a second factor, its recovery codes", site, setUp);
    state("a second factor that is on", site, withSecondFactor);
    state("a second factor, new recovery codes refused", site, async (visitor) => {
        await withSecondFactor(visitor);
        await visitor.send({ code: "12345" }, formTo(`${SECOND_FACTOR}/recovery-codes`));
    }, { status: 400 });
    state("a second factor, not turned off", site, async (visitor) => {
        await withSecondFactor(visitor);
        await visitor.send({ code: "12345" }, formTo(`${SECOND_FACTOR}/off`));
    }, { status: 400 });
    state("a second factor, all browsers forgotten", site, async (visitor) => {
        await withSecondFactor(visitor);
        await visitor.click(`${formTo(`${SECOND_FACTOR}/forget-browsers`)} button`);
    });
    state("a second factor asked for, at sign-in", site, waiting);
    state("a second factor asked for, by recovery code", site, async (visitor) => {
        await waiting(visitor);
        await visitor.click("a[href*='with=recovery']");
    });
    state("a second factor asked for, refused", site, async (visitor) => {
        await waiting(visitor);
        await visitor.send({ code: "12345" });
    }, { status: 400 });
    state("sessions, another one ended", site, async (visitor) => {
        await known(visitor);
        await signInElsewhere(site, visitor.username, 1);
        await visitor.open("/account/sessions");
        await visitor.click(`${formTo("/account/sessions/end")} ul:nth-of-type(2) button`);
    });
    state("sessions, all others ended", site, async (visitor) => {
        await known(visitor);
        await signInElsewhere(site, visitor.username, 1);
        await visitor.open("/account/sessions");
        await visitor.click(`${formTo("/account/sessions/end-others")} button`);
    });
    state("sessions, a hundred", many, async (visitor) => {
        await oneWith("sessions", visitor, (username) => signInElsewhere(many, username, 99));
        await visitor.open("/account/sessions");
    });
    state("sessions, a hundred, the last page", many, async (visitor) => {
        await oneWith("sessions", visitor, (username) => signInElsewhere(many, username, 99));
        await visitor.open("/account/sessions?page=99");
    });
    const withTokens = async (visitor) => {
        await oneWith("tokens", visitor, async () => {
            const cookies = await visitor.context.cookies();
            const headers = { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; ") };
            for (let made = 0; made < 100; made += 1) {
                const body = new URLSearchParams({ name: `Backup of the wiki, number ${made}`, days: "90" });
                await fetch(`${many.url}/account/tokens`, { method: "POST", body, redirect: "manual", headers });
            }
        });
    };
    state("access tokens, a hundred", many, async (visitor) => {
        await withTokens(visitor);
        await visitor.open("/account/tokens");
    });
    state("access tokens, a hundred, in the middle", many, async (visitor) => {
        await withTokens(visitor);
        await visitor.open("/account/tokens?page=2");
    });
    state("access tokens, a hundred, and the form for another", many, async (visitor) => {
        await withTokens(visitor);
        await visitor.open("/account/tokens?new=1");
    });
    state("the profile with twenty apps", many, known);
    state("the profile of a user with a name from right to left", site, async (visitor) => {
        await visitor.signUp(`אבגדה${Math.floor(Math.random() * 900_000) + 100_000}`);
    });
    state("an app that is closed to the user", many, async (visitor) => {
        await known(visitor);
        await visitor.context.setExtraHTTPHeaders({
            "X-Original-URL": "http://127.0.0.1:40001/", "X-Original-Method": "GET",
            "Accept-Language": visitor.language,
        });
        const groups = Array.from({ length: 20 }, (_, place) => `department-${place}`).join(",");
        await visitor.open(`/auth/nginx?groups=${groups}`);
    }, { status: 403 });
    state("the sign-in that leads to an app", many, open("/login?next=http://127.0.0.1:40001/x"));
    state("the sign-in after the account was deleted", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/account");
        await visitor.send({ password: PASSWORD }, formTo("/account/delete"));
    });
    state("the sign-in after a password was set by a link", site, async (visitor) => {
        await known(visitor);
        await visitor.open(link(site, "user", "reset-link", visitor.username));
        await visitor.send({ password: "four more unrelated words" });
    });
    state("a new password by a link", site, async (visitor) => {
        await known(visitor);
        await visitor.open(link(site, "user", "reset-link", visitor.username));
    });
    state("a new password by a link, refused", site, async (visitor) => {
        await known(visitor);
        await visitor.open(link(site, "user", "reset-link", visitor.username));
        await visitor.send({ password: "short" });
    }, { status: 400 });
    state("a link that is not good", site, open("/reset?token=x"), { status: 404 });
    state("signing out by a link", site, async (visitor) => {
        await known(visitor);
        await visitor.open("/logout?next=/account");
    });
    state("a form of a user who is not signed in any more (401)", site, async (visitor) => {
        await known(visitor);
        await visitor.context.clearCookies();
        await visitor.click(`${formTo("/logout")} button`);
    }, { status: 401 });
    state("a form of another site (403)", site, async (visitor) => {
        await visitor.page.goto(`data:text/html,<form method=post action="${site.url}/login"><button>x</button></form>`);
        await visitor.click("button");
        await visitor.page.waitForURL(`${site.url}/login`);
    }, { status: 403 });
    state("a page that is not there (404)", site, open("/nowhere"), { status: 404 });
    state("a page that is asked for in another way (405)", site, async (visitor) => {
        await visitor.open("/login");
        await visitor.page.evaluate((address) => {
            document.forms[0].action = address;
        }, at("/account/sessions"));
        await visitor.send({ username: "anna", password: PASSWORD });
    }, { status: 405 });
    state("a form that is too large (413)", site, async (visitor) => {
        await visitor.open("/signup");
        await visitor.page.fill("#username", "x".repeat(110_000));
        await visitor.page.fill("#password", PASSWORD);
        await visitor.click("button");
    }, { status: 413 });
    state("a failure of ours (500)", site, async (visitor) => {
        // A database that is written over while it is served.
        const broken = await serve();
        visitor.turnTo(broken);
        await visitor.open("/login");
        for (const file of [broken.database, `${broken.database}-wal`]) {
            writeFileSync(file, Buffer.alloc(statSync(file).size, 0xff), { flag: "r+" });
        }
        // What is kept in memory is kept only while this says that nothing has changed.
        writeFileSync(`${broken.database}-shm`, Buffer.alloc(136), { flag: "r+" });
        await visitor.send({ username: freeUsername(), password: PASSWORD });
    }, { status: 500 });
    state("a server that is busy (503)", busy, async (visitor) => {
        // A crowd that keeps the queue before the one hasher full.
        let isOver = false;
        const crowd = Array.from({ length: 90 }, async () => {
            while (!isOver) {
                const body = new URLSearchParams({ username: freeUsername("crowd"), password: PASSWORD });
                const answer = await fetch(`${busy.url}/signup`, { method: "POST", body, redirect: "manual" });
                if (answer.status === 503) await pause(200);
            }
        });
        await pause(100);
        try {
            for (let tries = 0, status = 0; tries < 9 && status !== 503; tries += 1) {
                await visitor.open("/signup");
                await visitor.page.fill("#username", freeUsername());
                await visitor.page.fill("#password", PASSWORD);
                const answer = visitor.page.waitForResponse((it) => it.request().method() === "POST");
                await visitor.click("button");
                status = (await answer).status();
                await visitor.context.clearCookies();
            }
        } finally {
            isOver = true;
            await Promise.all(crowd);
        }
        await visitor.page.waitForLoadState();
    }, { status: 503 });

    check("asks for one stylesheet and one icon at the first page, and for neither again", async () => {
        const fresh = await serve();
        await inhabit(fresh);
        const visitor = await visit(browser, fresh);
        const asked = () => [...fresh.log.matchAll(/ method=(GET) path=(\S+)/g)].map((it) => `${it[1]} ${it[2]}`);
        await visitor.open("/login");
        await visitor.page.waitForTimeout(500);
        assert.deepEqual(asked().sort(), ["/icon.svg", "/login", "/style.css"].map((path) => `GET ${at(path)}`));
        await visitor.open("/signup");
        await visitor.page.waitForTimeout(500);
        assert.deepEqual(asked().slice(3), [`GET ${at("/signup")}`]);
        await visitor.leave();
    });

    check("runs no script of the operator's logo, not even where it is opened alone", async () => {
        const visitor = await visit(browser, own);
        let ran = false;
        visitor.page.on("dialog", (dialog) => {
            ran = true;
            dialog.dismiss();
        });
        await visitor.open("/login");
        const image = visitor.page.locator("img.mark");
        assert.ok(await image.evaluate((it) => it.complete && it.naturalWidth > 0));
        await visitor.context.newPage().then((page) => page.close());
        const alone = await browser.newContext();
        const page = await alone.newPage();
        page.on("dialog", (dialog) => {
            ran = true;
            dialog.dismiss();
        });
        await page.goto(new URL(await image.getAttribute("src"), own.url).href);
        await page.waitForTimeout(300);
        assert.equal(ran, false);
        await alone.close();
        await visitor.leave();
    });
}

/** Signs up, enters an address and opens the link that was mailed there. */
async function enterAddress(visitor, site, known) {
    await known(visitor);
    const address = `${visitor.username}@example.com`;
    await visitor.open("/account/email");
    await visitor.send({ email: address }, formTo("/account/email"));
    await visitor.open(linkIn(site, await mailTo(site, address)));
}

/** Signs up with an address whose two parts begin so, and returns it. */
async function enterNewAddress(visitor, begins = "", domain = "") {
    const address = `${begins}${freeUsername()}@${domain}example.com`;
    await visitor.open("/signup");
    await visitor.send({ username: address, password: PASSWORD });
    return address;
}

async function signInElsewhere(site, username, times) {
    const body = new URLSearchParams({ username, password: PASSWORD });
    for (let others = 0; others < times; others += 1) {
        const headers = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" };
        await fetch(`${site.url}/login`, { method: "POST", body, redirect: "manual", headers });
    }
}

/** The requests in the tables of the document from this text on, as in `GET /account`. */
function documented(from) {
    const tables = DOCUMENT.split(from)[1].split("Any other request:")[0];
    const rows = tables.split("\n").filter((line) => line.startsWith("| `"));
    return rows.flatMap((row) => [...row.split("|")[1].matchAll(/`((?:GET|POST) [^`?]+)/g)].map(([, it]) => it));
}

/** The addresses in the document that no state has come to: a new form has to have one. */
export function missing() {
    return documented("## Pages and forms").filter((it) => !reached.has(it) && !NO_PAGES.includes(it.split(" ")[1]));
}

/** The code that an app shows for this secret now (RFC 6238). */
function codeOf(secret) {
    const bits = [...secret.replaceAll(" ", "")].map((it) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(it).toString(2).padStart(5, "0"));
    const key = Buffer.from(bits.join("").match(/.{8}/g).map((it) => parseInt(it, 2)));
    const step = Buffer.alloc(8);
    step.writeBigInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
    const hash = createHmac("sha1", key).update(step).digest();
    const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
}

/** Looks at a state in each language. */
async function look(browser, name, where, come, { status = 200, bytes = BYTES_MAX, scripts = 0 }) {
    states += 1;
    let isDark = states % 2 === 0;
    // A locale would have the last word on the language that is asked for.
    const visitor = await visit(browser, where, { locale: undefined });
    const { page, context } = visitor;
    for (const [language, asked] of LANGUAGES) {
        await context.clearCookies();
        await context.setExtraHTTPHeaders({ "Accept-Language": asked });
        visitor.language = asked;
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
        await come(visitor);
        const navigations = visitor.requests.filter((it) => it.isNavigationRequest());
        const document = navigations.at(-1);
        for (const it of navigations) reached.add(`${it.method()} ${new URL(it.url()).pathname.slice(prefix.length)}`);
        assert.equal((await document.response()).status(), status, await page.textContent("body"));
        await page.waitForLoadState("load");

        assert.equal(await page.getAttribute("html", "lang"), language);
        const heading = await page.textContent("h1");
        assert.ok((await page.title()).startsWith(`${heading} · `), await page.title());
        assert.equal(await page.locator("script").count(), scripts);
        assert.equal(await page.locator("[style], style, iframe").count(), 0);
        assert.deepEqual((await addresses(page)).filter((it) => !it.startsWith(at("/")) && !isKnown(it, where)), []);
        if (prefix) {
            await weigh(visitor, document, name, bytes);
            continue;
        }

        await page.evaluate(axe.source);
        await inspect(page, name, RULES);
        await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
        if (language === "en") await inspect(page, name, undefined, ["color-contrast"]);
        assert.equal(await moves(page), 0, "something moves though less motion is asked for");

        const file = join(pictures, name.replace(/[^a-z0-9]+/g, "-"));
        for (const [width, height] of WIDTHS) {
            await page.setViewportSize({ width, height });
            if (language === "en" || width < 350) {
                // In German what matters is how long its words are. Light and dark by turns.
                isDark = !isDark;
                const colorScheme = isDark ? "dark" : "light";
                await page.emulateMedia({ colorScheme });
                await page.screenshot({ path: `${file}-${language}-${width}-${colorScheme}.png`, fullPage: true });
                taken += 1;
            }
            assert.ok(await fits(page), `it scrolls sideways at ${width} px`);
            assert.deepEqual(await brokenWords(page), [], `the heading breaks within a word at ${width} px`);
        }
        // 400 % zoom of a window of 1280 by 1024 px (WCAG 2.2, 1.4.10).
        await page.setViewportSize({ width: 320, height: 256 });
        assert.deepEqual(await outside(page), [], "at 400 % zoom something is cut off or asks for scrolling sideways");
        // 200 % zoom at 640 px is the layout of 320 px; this is text of twice the size besides.
        await page.setViewportSize({ width: 640, height: 800 });
        await page.evaluate(() => {
            document.documentElement.style.fontSize = "200%";
        });
        assert.deepEqual(await outside(page), [], "when text is twice as large something is cut off");
        if (language === "en") {
            await weigh(visitor, document, name, bytes);
            await followFocus(page);
            await measureLooks(page, name);
            await readBare(page);
        }
    }
    await visitor.leave();
}

/** Without a stylesheet the page says everything, in the order of the accessibility tree: the heading first,
 *  then messages, and each field with its name. High-contrast colours keep the edges. */
async function readBare(page) {
    await page.emulateMedia({ forcedColors: "active" });
    await followFocus(page);
    const edgeless = await page.$$eval("main, button, input:not([type=hidden], [hidden], [type=checkbox]), select, .apps a", (all) => all.filter((it) => parseFloat(getComputedStyle(it).borderTopWidth) < 1).length);
    assert.equal(edgeless, 0, "something has no edge in forced colours");
    await page.emulateMedia({ forcedColors: "none" });
    const snapshot = async () => {
        const session = await page.context().newCDPSession(page);
        const { nodes } = await session.send("Accessibility.getFullAXTree");
        await session.detach();
        // As it is read: each node before its children.
        const byId = new Map(nodes.map((it) => [it.nodeId, it]));
        const read = (it) => [it, ...(it.childIds ?? []).flatMap((id) => (byId.has(id) ? read(byId.get(id)) : []))];
        const shown = read(nodes[0]).filter((it) => !it.ignored && !/^(StaticText|InlineTextBox|RootWebArea|ListMarker|LineBreak)$/.test(it.role?.value));
        return shown.map((it) => `${it.role?.value} ${it.name?.value ?? ""}`.trim());
    };
    const styled = await snapshot();
    const named = styled.filter((it) => /^(button|link|textbox|checkbox|combobox|heading)\b/.test(it));
    assert.match(named[0], /^heading ./, "the heading comes first");
    for (const it of named) assert.match(it, /^\w+ ./, "all that can be used has a name");
    await page.evaluate(() => document.querySelectorAll("link[rel=stylesheet]").forEach((it) => (it.disabled = true)));
    assert.deepEqual((await snapshot()).filter((it) => /^(button|link|textbox|checkbox|combobox|heading)\b/.test(it)), named, "the order hangs on the stylesheet");
}

async function inspect(page, name, tags, rules) {
    const values = rules ? { type: "rule", values: rules } : { type: "tag", values: tags };
    const found = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), values);
    axed += 1;
    assert.ok(found.passes.length > 0);
    const told = ({ violations, incomplete }) =>
        [...violations, ...incomplete].map((it) => `${it.id}: ${it.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
    assert.deepEqual(told(found), [], name);
}

/** Whether an address is that of an app, also on a phone, or of the site on the host of an app. */
const isKnown = (address, site) => address.startsWith("otpauth://totp/") || /^http:\/\/127\.0\.0\.1:400[01]\d\b/.test(address) || address.startsWith(`${site.url}/`);

/** What the links, forms and images of a page lead to. */
const addresses = (page) =>
    page.$$eval("[href], [action], [src]", (all) =>
        all.flatMap((it) => ["href", "action", "src"].map((name) => it.getAttribute(name)).filter((address) => address)),
    );

/** The words of the heading that stand on two lines. */
const brokenWords = (page) =>
    page.$eval("h1", ({ firstChild: text }) =>
        [...text.data.matchAll(/[^\s-]+/g)].filter(({ 0: word, index }) => {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
        }).map(([word]) => word),
    );

const fits = (page) =>
    page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth <= clientWidth;
    });

/** What stands out of the page at the sides, or is wider than its element shows. */
const outside = (page) =>
    page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        const main = document.querySelector("main").getBoundingClientRect();
        const isCut = (it) => {
            const { left, right, width } = it.getBoundingClientRect();
            const { overflowX } = getComputedStyle(it);
            return width > 0 && (left < main.left - 1 || right > main.right + 1 || (overflowX !== "visible" && it.scrollWidth > it.clientWidth + 1));
        };
        const cut = [...document.querySelectorAll("main *:not(input, select, option)")].filter(isCut).map((it) => it.outerHTML.slice(0, 90));
        return scrollWidth > clientWidth ? ["the whole page", ...cut] : cut;
    });

const moves = (page) =>
    page.evaluate(() => {
        // An animation that decides only when a button can be pressed moves nothing.
        const rules = [...document.styleSheets].flatMap((it) => [...it.cssRules]).filter((it) => it instanceof CSSKeyframesRule);
        const changes = ({ cssRules }) => [...cssRules].flatMap((it) => [...it.style]);
        const still = rules.filter((it) => changes(it).every((name) => name === "pointer-events")).map((it) => it.name);
        const isStill = ({ transitionDuration, animationName }) =>
            transitionDuration === "0s" && ["none", ...still].includes(animationName);
        return [...document.querySelectorAll("*")].filter((it) => !isStill(getComputedStyle(it))).length;
    });

/** The page, its stylesheet and its icon: bodies and heads, as they come over the wire. */
async function weigh(visitor, document, name, most) {
    let bytes = 0;
    // The first of each: later ones come from the browser's own memory.
    const once = new Map([...visitor.requests].reverse().map((it) => [new URL(it.url()).pathname, it]));
    const parts = [document, once.get(at("/style.css")), once.get(at("/icon.svg")) ?? once.get(at("/logo")), once.get(at("/passkey.js"))];
    const hasScript = (await visitor.page.locator("script").count()) > 0;
    for (const request of parts.filter((_, place) => place < 3 || hasScript)) {
        const { responseBodySize, responseHeadersSize } = await request.sizes();
        bytes += responseBodySize + responseHeadersSize;
    }
    weights.push([bytes, name]);
    assert.ok(bytes <= most, `${bytes} bytes`);
}

/** Goes through the page by Tab: all that can be used is reached, in the order in which it stands there,
 *  and the eye sees where one is. */
async function followFocus(page) {
    await page.evaluate(() => {
        document.activeElement.blur();
        document.getSelection().removeAllRanges();
    });
    const there = await page.evaluate(() => {
        const all = [...document.querySelectorAll("a, button, input:not([type=hidden]):not([hidden]), select")];
        all.forEach((it, place) => it.setAttribute("data-place", place));
        return all.length;
    });
    await page.evaluate(() => {
        document.body.tabIndex = -1;
        document.body.focus();
    });
    for (let place = 0; place < there; place += 1) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
            const it = document.activeElement;
            const { outlineStyle, outlineWidth } = getComputedStyle(it);
            const { top, bottom } = it.getBoundingClientRect();
            const isShown = top >= -1 && bottom <= innerHeight + 1;
            return { place: Number(it.dataset.place), isShown, ring: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2 };
        });
        assert.deepEqual(at, { place, isShown: true, ring: true });
    }
}

/** What is to be told at the end. */
export function figures() {
    weights.sort(([one], [other]) => other - one);
    if (weights.length === 0) return [];
    const [least, most] = [weights.at(-1), weights[0]];
    const weight = `${weights.length} pages and states weigh ${least[0]} (${least[1]}) to ${most[0]} (${most[1]}) bytes, with stylesheet and icon`;
    return prefix ? [weight] : [
        weight,
        `axe-core looked ${axed} times and found nothing`,
        `${taken} pictures are in ${pictures}`,
    ];
}
