// A visitor with a browser of their own. Whatever they do, nothing may leave the site, nothing may be
// against its policy, and Chromium may have no complaint about a form.

import assert from "node:assert/strict";

/** A visitor of a site: one tab, to begin with. */
export async function visit(browser, site, options = {}) {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    context.setDefaultTimeout(15_000);
    const complaints = [];
    const requests = [];
    const sites = [site];
    context.on("console", (message) => {
        // That an answer is a refusal, or clears what a browser keeps, is what the tests are about.
        if (!/^(Failed to load resource: the server responded|Clear-Site-Data header on)/.test(message.text())) {
            complaints.push(`${message.type()}: ${message.text()}`);
        }
    });
    context.on("weberror", (error) => complaints.push(String(error.error())));
    context.on("request", (request) => requests.push(request));
    const page = await context.newPage();
    return {
        page,
        context,
        requests,
        /** Goes on at another site. */
        turnTo: (other) => sites.unshift(other),
        open: (path) => page.goto(sites[0].url + path),
        /** Fills a form as a visitor does and sends it with its own button. */
        async send(fields, form = "form") {
            for (const [name, value] of Object.entries(fields)) {
                await page.locator(`${form} [name="${name}"]:not([hidden])`).first().fill(value);
            }
            await this.click(`${form} button`);
        },
        /** Clicks on what leads to another page, and waits for that. */
        async click(selector) {
            await Promise.all([page.waitForNavigation(), page.locator(selector).first().click()]);
        },
        async signUp(username, password = "three unrelated words") {
            await this.open("/signup");
            await this.send({ username, password });
            assert.equal(await this.path(), "/", await page.textContent("main"));
        },
        /** The path within the site; the whole address if it is not below the site's own. */
        async path() {
            const { url } = sites[0];
            const { origin, pathname, search } = new URL(page.url());
            const whole = origin + pathname + search;
            return whole.startsWith(`${url}/`) ? whole.slice(url.length) : whole;
        },
        /** The field that has the focus. Browsers give it with the first picture of a page. */
        async focused() {
            for (let tries = 0; tries < 40; tries += 1) {
                const id = await page.evaluate(() => document.activeElement.id);
                if (id) return id;
                await page.waitForTimeout(50);
            }
            return "";
        },
        async leave() {
            const isOwn = (url) => sites.some((it) => url.startsWith(`${it.url}/`)) || url.startsWith("data:");
            const foreign = requests.map((it) => it.url()).filter((url) => !isOwn(url));
            await context.close();
            assert.deepEqual(complaints, []);
            assert.deepEqual(foreign, []);
        },
    };
}

let count = 0;

/** A name that is not taken. */
export function freeUsername(beginning = "anna") {
    count += 1;
    return `${beginning}-${count}`;
}
