// The second factor: turned on by an app that reads the QR code from the screen, and then asked for. The app is
// two programs: zbarimg, which reads pictures, and oathtool, which calculates codes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { at, formTo, inhabit, linkTo, operate, prefix, serve, work } from "./site.mjs";
import { freeUsername, visit } from "./visitor.mjs";

const PASSWORD = "three unrelated words";
const STEP = 30;
const HERE = "/account/second-factor";
const SET_UP_AT_SIGN_IN = "form:has([name=enrolment])";

/** Below a path of its host, a page says the same: one language is enough there. */
const TEXTS = {
    en: {
        page: "Second factor", asked: "Enter your code", codes: "Recovery codes", left: "Recovery codes left: 7",
        wrong: "Incorrect code", invalid: "Invalid code", off: "The second factor is off.",
        due: "This site asks for a second factor.", required: "A second factor is required here",
    },
    de: {
        page: "Zweiter Faktor", asked: "Code eingeben", codes: "Wiederherstellungs\u{ad}codes",
        left: "Verbleibende Wiederherstellungs\u{ad}codes: 7", wrong: "Falscher Code", invalid: "Ungültiger Code",
        off: "Der zweite Faktor ist ausgeschaltet.", due: "zweiten Faktor", required: "zweiter Faktor",
    },
    fr: {
        page: "Second facteur", asked: "Saisissez votre code", codes: "Codes de secours",
        left: "Codes de secours restants\u{a0}: 7", wrong: "Code incorrect", invalid: "Code non valide",
        off: "Le second facteur est désactivé.", due: "second facteur", required: "Un second facteur est exigé ici",
    },
};

/** An app on a phone, with this secret. */
class App {
    #secret;
    #last = 0;

    constructor(secret) {
        this.#secret = secret;
    }

    #at(step) {
        return execFileSync("oathtool", ["--totp", "--base32", "--now", `@${step * STEP}`, this.#secret], { encoding: "utf8" }).trim();
    }

    /** A code that is accepted: of the step before, of this one or of the next. Each is accepted once, so that after
     *  three of them it takes waiting. */
    async code() {
        // A step that ends now would be too old when the code arrives.
        const now = () => Date.now() / 1_000 / STEP;
        const first = Math.floor(now() - 1 + 5 / STEP);
        this.#last = Math.max(this.#last + 1, first);
        while (Math.floor(now()) + 1 < this.#last) await pause(200);
        return this.#at(this.#last);
    }

    /** A code that no app shows in these minutes. */
    wrongCode() {
        const now = Math.floor(Date.now() / 1_000 / STEP);
        const near = Array.from({ length: 61 }, (_, place) => this.#at(now - 30 + place));
        return ["000000", "111111", "222222"].find((it) => !near.includes(it)) ?? "333333";
    }
}

/** What the page for setting up shows in words: the secret, in fours. */
const secretOn = async (page) => (await page.textContent("main .token code")).replaceAll(" ", "");

/** Sets up an app on the page that is open; returns it with the recovery codes. */
async function setUp(visitor, form = formTo(HERE)) {
    const app = new App(await secretOn(visitor.page));
    await visitor.send({ code: await app.code() }, form);
    return { app, codes: (await visitor.page.innerText("main .token code")).split(/\s+/) };
}

/** Signs up and turns the second factor on. */
export async function signUpWith(visitor, username) {
    await visitor.signUp(username);
    await visitor.open(HERE);
    return setUp(visitor);
}

/** Signs out, and gives the password again. */
export async function giveThePassword(visitor, username) {
    await visitor.open("/");
    await visitor.click(`${formTo("/logout")} button`);
    await visitor.open("/login");
    // Chromium complains where something else has the focus by the time of the field's own.
    await visitor.focused();
    await visitor.send({ username, password: PASSWORD });
}

/** Reads the QR code from the screen as a camera does, in light and in dark: the address for the app. */
async function scan(page) {
    const read = [];
    for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        const file = join(work, `${freeUsername("screen")}.png`);
        writeFileSync(file, await page.screenshot({ fullPage: true }));
        // It looks for a desktop to tell that it runs, and complains where there is none.
        const told = execFileSync("zbarimg", ["--quiet", "--raw", file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
        read.push(told.trim());
    }
    await page.emulateMedia({ colorScheme: "light" });
    assert.equal(read[0], read[1], "in light and in dark");
    return new URL(read[0]);
}

export async function register(check, browser) {
    const site = await serve("--throttle-free", "50");
    await inhabit(site);
    const strict = await serve("--throttle-free", "50", "--second-factor", "required");
    await inhabit(strict);

    const says = async (visitor, selector, text) => assert.ok((await visitor.page.textContent(selector)).includes(text), text);

    for (const [language, texts] of Object.entries(TEXTS).slice(0, prefix ? 1 : 3)) {
        const walk = (name, body) =>
            check(`${name}, with scripts off, in ${language}`, async () => {
                const visitor = await visit(browser, site, { javaScriptEnabled: false, locale: language });
                await body(visitor, visitor.page);
                await visitor.leave();
            });

        walk("turns the second factor on by its QR code, and asks for codes from then on", async (visitor, page) => {
            const username = freeUsername();
            await visitor.signUp(username);
            await visitor.open("/account");
            await visitor.click(linkTo(HERE));
            await says(visitor, "h1", texts.page);
            const address = await scan(page);
            assert.equal(address.protocol, "otpauth:");
            assert.ok(decodeURIComponent(address.pathname).endsWith(`:${username}`), address.pathname);
            assert.equal(address.searchParams.get("secret"), await secretOn(page));
            assert.equal(await page.getAttribute("a[href^='otpauth:']", "href"), address.href);

            const { app, codes } = await setUp(visitor);
            await says(visitor, "h2", texts.codes);
            assert.equal(codes.length, 8);
            for (const code of codes) assert.match(code, /^[a-z0-9]{6}(-[a-z0-9]{6}){3}$/);
            await visitor.click(".apps a");
            assert.equal(await visitor.path(), "/account");

            await giveThePassword(visitor, username);
            assert.equal(await visitor.path(), "/login/second");
            await says(visitor, "h1", texts.asked);
            assert.equal(await visitor.focused(), "code");
            for (const [code, told] of [[app.wrongCode(), texts.wrong], ["12345", texts.invalid]]) {
                await visitor.send({ code });
                await says(visitor, "[role=alert] strong", told);
                assert.equal(await visitor.focused(), "code");
            }
            await visitor.send({ code: await app.code() });
            assert.equal(await visitor.path(), "/");
            await says(visitor, "main", username);
        });

        walk("signs in by a recovery code, once", async (visitor) => {
            const username = freeUsername();
            const { codes: [first, second] } = await signUpWith(visitor, username);
            for (const code of [first, second.replaceAll("-", " ").toUpperCase()]) {
                await giveThePassword(visitor, username);
                await visitor.click(`a[href='${at("/login/second?with=recovery")}']`);
                if (code !== first) {
                    await visitor.send({ code: first });
                    await says(visitor, "[role=alert] strong", texts.wrong);
                }
                await visitor.send({ code });
                assert.equal(await visitor.path(), "/");
                if (code === first) {
                    await visitor.open(HERE);
                    await says(visitor, "main", texts.left);
                }
            }
        });

        walk("lets the password alone in after the operator's command, and the user turns it off", async (visitor) => {
            const username = freeUsername();
            await signUpWith(visitor, username);
            operate(site, "user", "second-factor", username, "off");
            await visitor.open("/login");
            await visitor.focused();
            await visitor.send({ username, password: PASSWORD });
            assert.equal(await visitor.path(), "/");
            await visitor.open(HERE);
            const { app } = await setUp(visitor);
            await visitor.open(HERE);
            await visitor.send({ code: await app.code() }, formTo(`${HERE}/off`));
            assert.equal(await visitor.path(), "/account");
            await says(visitor, "[role=status]", texts.off);
            await giveThePassword(visitor, username);
            assert.equal(await visitor.path(), "/");
        });

        check(`sets a second factor up while signing in, where one is required, in ${language}`, async () => {
            const visitor = await visit(browser, strict, { javaScriptEnabled: false, locale: language });
            const { page } = visitor;
            const username = freeUsername();
            await visitor.open(`/signup?next=${at("/account/sessions")}`);
            await visitor.send({ username, password: PASSWORD });
            assert.equal(new URL(page.url()).pathname, at("/login/second"));
            await says(visitor, "main", texts.due);
            assert.equal((await scan(page)).searchParams.get("secret"), await secretOn(page));
            const { app, codes } = await setUp(visitor, SET_UP_AT_SIGN_IN);
            assert.equal(codes.length, 8);
            await visitor.click(".apps a");
            assert.equal(await visitor.path(), "/account/sessions");
            await visitor.open(HERE);
            await says(visitor, "main", texts.required);
            assert.equal(await page.locator(formTo(`${HERE}/off`)).count(), 0);
            await giveThePassword(visitor, username);
            await visitor.send({ code: await app.code() });
            assert.equal(await visitor.path(), "/");
            await visitor.leave();
        });
    }

    check("asks for no code in a browser that is remembered, until the user has all of them forgotten", async () => {
        const visitor = await visit(browser, site, { javaScriptEnabled: false });
        const username = freeUsername();
        const { app } = await signUpWith(visitor, username);
        await giveThePassword(visitor, username);
        await visitor.page.check("[name=remember_browser]");
        await visitor.send({ code: await app.code() });
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/");
        await visitor.open(HERE);
        await visitor.click(`${formTo(`${HERE}/forget-browsers`)} button`);
        assert.equal(await visitor.path(), HERE);
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/login/second");
        await visitor.leave();
    });
}
