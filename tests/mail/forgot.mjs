// Chromium from "Forgot your password?" to signed in, with the link from the Maildir that Postfix has delivered to, in every
// language. node forgot.mjs FOLDER PORT: the one of smtp://. BINARY, BROWSER_MODULES, PICTURES and PYTHON are in the
// environment; see run.sh.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { browse, cleanUp, linkTo, operate, serveNamed } from "../browser/site.mjs";
import { visit } from "../browser/visitor.mjs";

const [folder, port] = process.argv.slice(2);
const [PASSWORD, NEW] = ["three unrelated words", "four more unrelated words"];

async function resets(browser, site, language, titles) {
    const visitor = await visit(browser, site, { locale: language });
    const address = `reader-${language}@example.com`;
    await visitor.signUp(`reader-${language}`, PASSWORD);
    await visitor.context.clearCookies();
    operate(site, "user", "email", `reader-${language}`, address);
    await visitor.open("/login");
    assert.equal(await visitor.page.textContent(linkTo("/forgot")), titles.forgot, JSON.stringify(titles.forgot));
    await visitor.click(linkTo("/forgot"));
    await visitor.send({ name: address });
    const read = await promisify(execFile)(process.env.PYTHON, ["-B", "link.py", `${folder}/mails/anna`, address]);
    await visitor.page.goto(read.stdout.trim());
    assert.equal(await visitor.page.textContent("h1"), titles.reset);
    await visitor.send({ password: NEW });
    assert.equal(await visitor.path(), "/login");
    await visitor.send({ username: address, password: PASSWORD });
    assert.equal(await visitor.path(), "/login");
    await visitor.send({ username: address, password: NEW });
    assert.equal(await visitor.path(), "/");
    await visitor.leave();
}

const browser = await browse();
let failed = 0;
const languages = {
    en: { forgot: "Forgot your password?", reset: "New password" },
    de: { forgot: "Passwort vergessen?", reset: "Neues Passwort" },
    fr: { forgot: "Mot de passe oublié\u{a0}?", reset: "Nouveau mot de passe" },
};
try {
    const relay = ["--mail", `smtp://localhost:${port}`, "--mail-ca", `${folder}/ca.pem`];
    const site = await serveNamed(...relay, "--mail-from", "Example <no-reply@example.com>");
    for (const [language, titles] of Object.entries(languages)) {
        const name = `leads a browser from a forgotten password to a new one by a mail that Postfix delivers, in ${language}`;
        try {
            await resets(browser, site, language, titles);
            console.log(`ok    ${name}`);
        } catch (error) {
            failed += 1;
            console.log(`FAIL  ${name}\n${error.stack}`);
        }
    }
    await browser.close();
} finally {
    cleanUp();
}
process.exit(failed ? 1 : 0);
