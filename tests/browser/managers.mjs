// What password managers find in the forms. Chromium's own shows its offers outside the page, where no
// test can see them; it goes by what is looked at here, and says in the console what it misses.

import assert from "node:assert/strict";

import { formTo, inhabit, link, serve } from "./site.mjs";
import { freeUsername, visit } from "./visitor.mjs";

const PASSWORD = "three unrelated words";

export async function register(check, browser) {
    const site = await serve("--basic-auth");
    await inhabit(site);

    /** The text fields of each form that asks for a password, as a manager sees them. */
    const forms = (page) =>
        page.evaluate(() =>
            [...document.forms]
                .filter((form) => form.querySelector("[type=password]"))
                .map((form) =>
                    [...form.elements]
                        .filter((it) => ["text", "password"].includes(it.type) && it.autocomplete !== "off")
                        .map((it) => `${it.type} ${it.name} ${it.autocomplete}`),
                ),
        );

    check("lets password managers see which field is which", async () => {
        const visitor = await visit(browser, site);
        const { page } = visitor;
        const username = freeUsername();
        const name = "text username username";
        await visitor.open("/signup");
        assert.deepEqual(await forms(page), [[name, "password password new-password"]]);
        await visitor.open("/login");
        assert.deepEqual(await forms(page), [[name, "password password current-password"]]);
        await visitor.signUp(username);
        await visitor.open("/account");
        assert.deepEqual(await forms(page), [
            [name, "password current_password current-password", "password password new-password"],
            [name, "password password current-password"],
        ]);
        assert.deepEqual(
            await page.locator("[name=username]").evaluateAll((all) => all.map((it) => it.value)),
            [username, username],
        );
        await visitor.open(link(site, "user", "reset-link", username));
        assert.deepEqual(await forms(page), [[name, "password password new-password"]]);
        assert.equal(await page.inputValue("[name=username]"), username);
        await visitor.leave();
    });

    check("names every field and button to those who do not see them", async () => {
        const visitor = await visit(browser, site);
        const { page } = visitor;
        const has = async (role, name) => assert.equal(await page.getByRole(role, { name, exact: true }).count(), 1, name);
        await visitor.open("/login");
        await has("textbox", "Username");
        await has("textbox", "Password");
        await has("checkbox", "Stay signed in");
        await has("button", "Sign in");
        await has("heading", "Sign in");
        await visitor.signUp(freeUsername());
        await visitor.open("/account");
        await has("textbox", "Current password");
        await has("textbox", "New password");
        await has("button", "Delete account");
        await has("region", "Delete account");
        await visitor.open("/account/sessions");
        await page.getByRole("button", { name: /^End Chrome on / }).waitFor();
        await visitor.leave();
    });

    check("takes a password that is pasted, of whatever length", async () => {
        const visitor = await visit(browser, site);
        const { page } = visitor;
        await visitor.open("/signup");
        const long = "a b".repeat(120);
        // The name's field holds what is copied from it, beyond the limit of a name.
        await page.fill("#username", long);
        await page.focus("#username");
        await page.keyboard.press("Control+A");
        await page.keyboard.press("Control+C");
        await page.focus("#password");
        await page.keyboard.press("Control+V");
        assert.equal(await page.inputValue("#password"), long);
        await visitor.leave();
    });

    check("is filled in by a manager without a key being pressed", async () => {
        const visitor = await visit(browser, site);
        const { page } = visitor;
        const username = freeUsername();
        await visitor.signUp(username);
        await visitor.click(`${formTo("/logout")} button`);
        await page.evaluate(([name, password]) => {
            document.forms[0].username.value = name;
            document.forms[0].password.value = password;
        }, [username, PASSWORD]);
        await visitor.click("button");
        assert.equal(await visitor.path(), "/");
        await visitor.leave();
    });
}
