// Passkeys, made and used by Chromium's virtual authenticators (WebDriver BiDi's are those of its DevTools protocol).
// Headless Chromium answers at once what a page offers in the field for the name, so a button is tried with a
// security key ("usb"), which is not offered there.

import assert from "node:assert/strict";

import { giveThePassword, signUpWith } from "./factors.mjs";
import { at, axe, formTo, inhabit, linkTo, serveLocalhost } from "./site.mjs";
import { freeUsername, visit } from "./visitor.mjs";

const HERE = "/account/passkeys";
const FACTOR = "/account/second-factor";
const SIGN_IN = formTo("/login/passkey");
const ALONE = `${formTo(HERE)}:has([name=kind][value=alone])`;
const SECOND = `${formTo(HERE)}:has([name=kind][value=second_factor])`;

/** Gives a visitor's browser an authenticator of this kind. */
export async function plugIn(visitor, transport, verifies, more = {}) {
    const devtools = await visitor.context.newCDPSession(visitor.page);
    await devtools.send("WebAuthn.enable");
    const options = {
        protocol: "ctap2", transport, hasResidentKey: verifies, hasUserVerification: verifies,
        isUserVerified: verifies, automaticPresenceSimulation: true, ...more,
    };
    const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
    const say = (method, fields = {}) => devtools.send(`WebAuthn.${method}`, { authenticatorId, ...fields });
    return {
        credentials: async () => (await say("getCredentials")).credentials,
        verifyNoOne: () => say("setUserVerified", { isUserVerified: false }),
        pullOut: () => say("removeVirtualAuthenticator"),
    };
}

/** Signs up and adds a passkey by this form. */
async function signUpAndAdd(visitor, form = ALONE) {
    const username = freeUsername();
    await visitor.signUp(username);
    await visitor.open(HERE);
    await visitor.click(`${form} button`);
    assert.equal(await visitor.path(), HERE, await visitor.page.textContent("main"));
    return username;
}

async function signOut(visitor) {
    await visitor.open("/");
    await visitor.click(`${formTo("/logout")} button`);
}

export async function register(check, browser) {
    const site = await serveLocalhost("--throttle-free", "50");
    await inhabit(site);
    const walk = (name, body, options) =>
        check(name, async () => {
            const visitor = await visit(browser, site, options);
            await body(visitor, visitor.page);
            await visitor.leave();
        });
    const lists = async (page, count) => assert.equal(await page.locator("ul.rows > li").count(), count);

    walk("adds a passkey of a security key and signs in with its button", async (visitor, page) => {
        const key = await plugIn(visitor, "usb", true);
        const username = await signUpAndAdd(visitor);
        await lists(page, 1);
        assert.equal((await key.credentials()).length, 1);
        await signOut(visitor);
        await visitor.open("/login");
        await visitor.click(`${SIGN_IN} button`);
        assert.equal(await visitor.path(), "/");
        assert.ok((await page.textContent("main")).includes(username));
        // It was both factors, and the password was proven with it.
        await visitor.open(HERE);
        assert.equal(await page.locator(ALONE).isVisible(), true);
    });

    walk("signs in by the offer in the field for the name, and leads on", async (visitor, page) => {
        await plugIn(visitor, "internal", true);
        await signUpAndAdd(visitor);
        // To sign out by the form would lead to a page that signs in again at once.
        await visitor.context.clearCookies();
        // The page sends its form while it is still being loaded.
        const path = `/login?next=${encodeURIComponent(at("/account/sessions"))}`;
        await page.goto(site.url + path, { waitUntil: "commit" });
        for (let tries = 0; tries < 100 && (await visitor.path()) !== "/account/sessions"; tries += 1) {
            await page.waitForTimeout(100);
        }
        assert.equal(await visitor.path(), "/account/sessions");
        const sent = visitor.requests.filter((it) => it.method() === "POST" && it.url() === `${site.url}/login/passkey`);
        assert.equal(sent.length, 1);
    });

    walk("makes no second passkey in one authenticator, and says so", async (visitor, page) => {
        await plugIn(visitor, "usb", true);
        await signUpAndAdd(visitor);
        await page.click(`${ALONE} button`);
        await page.waitForSelector(`${ALONE} [role=alert]:not([hidden])`);
        await visitor.open(HERE);
        await lists(page, 1);
    });

    walk("takes a security key that verifies nobody for a second factor only", async (visitor, page) => {
        await plugIn(visitor, "usb", false);
        const username = freeUsername();
        const { app } = await signUpWith(visitor, username);
        assert.ok(app);
        await visitor.open(HERE);
        await page.click(`${ALONE} button`);
        await page.waitForSelector(`${ALONE} [role=alert]:not([hidden])`);
        await visitor.click(`${SECOND} button`);
        await lists(page, 1);
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/login/second");
        await visitor.click(`${formTo("/login/second")}[data-passkey] button`);
        assert.equal(await visitor.path(), "/");
    });

    walk("turns the second factor on and off with a passkey, without an app and without typing a code", async (visitor, page) => {
        await plugIn(visitor, "usb", false);
        const username = freeUsername();
        await visitor.signUp(username);
        await visitor.open(HERE);
        await visitor.click(`${SECOND} button`);
        await visitor.open(FACTOR);
        await visitor.click(`${formTo(FACTOR)}[data-passkey] button`);
        assert.ok((await page.innerText("main")).includes("Recovery codes"));
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/login/second");
        await visitor.click(`${formTo("/login/second")}[data-passkey] button`);
        assert.equal(await visitor.path(), "/");
        await visitor.open(FACTOR);
        await visitor.click(`${formTo(`${FACTOR}/recovery-codes`)}[data-passkey] button`);
        assert.ok((await page.innerText("main")).includes("Recovery codes"));
        await visitor.open(FACTOR);
        await visitor.click(`${formTo(`${FACTOR}/off`)}[data-passkey] button`);
        assert.equal(await visitor.path(), "/account");
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/");
    });

    walk("lets nobody in whom the key does not verify, and goes on without it", async (visitor, page) => {
        const key = await plugIn(visitor, "usb", true);
        await signUpAndAdd(visitor);
        await signOut(visitor);
        await key.verifyNoOne();
        await visitor.open("/login");
        await page.click(`${SIGN_IN} button`);
        await page.waitForSelector(`${SIGN_IN} [role=alert]:not([hidden])`);
        await key.pullOut();
        assert.equal(await visitor.path(), "/login");
    });

    walk("renames and removes a passkey, which signs in no more", async (visitor, page) => {
        await plugIn(visitor, "usb", true);
        await signUpAndAdd(visitor);
        await page.fill("ul.rows [name=name]", "Key on my ring");
        await visitor.click(`${formTo(`${HERE}/rename`)} button`);
        assert.equal(await page.textContent("ul.rows strong"), "Key on my ring");
        await visitor.click(`${formTo(`${HERE}/remove`)} button`);
        await lists(page, 0);
        await signOut(visitor);
        await visitor.open("/login");
        await visitor.click(`${SIGN_IN} button`);
        assert.ok((await page.textContent("main [role=alert]")).includes("Passkey not accepted"));
    });

    walk("shows no button and no error to a browser that runs no script", async (visitor, page) => {
        const username = freeUsername();
        await visitor.signUp(username);
        await visitor.open(HERE);
        assert.ok((await page.innerText("main")).includes("needs a script"));
        assert.equal(await page.locator("form[data-passkey]:visible").count(), 0);
        await giveThePassword(visitor, username);
        assert.equal(await visitor.path(), "/");
    }, { javaScriptEnabled: false });

    walk("leads from the account page to a page of passkeys that axe finds nothing wrong with", async (visitor, page) => {
        await plugIn(visitor, "usb", true);
        await signUpAndAdd(visitor);
        await visitor.open("/account");
        await visitor.click(linkTo(HERE));
        for (const path of [HERE, "/login"]) {
            if (path === "/login") await signOut(visitor);
            await visitor.open(path);
            assert.ok((await page.locator("form[data-passkey]:visible").count()) > 0, path);
            // The site's policy lets no other script onto the page.
            const devtools = await visitor.context.newCDPSession(page);
            const { result } = await devtools.send("Runtime.evaluate", {
                expression: `${axe.source}; axe.run().then((it) => JSON.stringify(it.violations.map((it) => [it.id, it.nodes.map((it) => it.html)])))`,
                awaitPromise: true, returnByValue: true,
            });
            assert.equal(result.value, "[]", path);
        }
    });
}
