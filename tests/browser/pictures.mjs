// The pictures in docs/pages: pages as they are, and for each variable of the look what it colours.
// node pictures.mjs FOLDER, with BINARY, BROWSER_MODULES and PICTURES in the environment.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { LOGO, VARIABLES } from "./looks.mjs";
import { pixelsOf, shrink } from "./palette.mjs";
import { browse, cleanUp, inhabit, serve, work } from "./site.mjs";

const folder = process.argv[2];
mkdirSync(join(folder, "variables"), { recursive: true });
const browser = await browse();

/** A picture of the refused form at `path`, or of the form itself where nothing is typed. */
async function take(file, site, path, { language = "en", colorScheme = "light", typed, paint, scale = 1 }) {
    const context = await browser.newContext({
        viewport: { width: 390, height: 844 }, deviceScaleFactor: scale, colorScheme, locale: language,
    });
    const page = await context.newPage();
    await page.goto(site.url + path);
    if (typed) {
        await page.fill("#username", typed);
        await page.fill("#password", "wrong words");
        await page.click("button");
    }
    // Browsers give the focus with the first picture of a page.
    await page.waitForFunction(() => document.activeElement.matches("input"));
    await paint?.(page);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const shot = await page.screenshot({ caret: "hide" });
    writeFileSync(join(folder, file), shrink(await page.evaluate(pixelsOf, shot.toString("base64"))));
    await context.close();
}

/** Shows all in greys but what this variable colours. */
const only = (name) => async (page) => {
    if (name === "accent-over") await page.hover("button");
    await page.evaluate((chosen) => {
        const greys = {
            wall: "#f4f4f4", outer: "#ececec", inner: "#e0e0e0", door: "#fff", ink: "#777", soft: "#999", edge: "#aaa",
            accent: "#bbb", "accent-over": "#bbb", "on-accent": "#fff", bad: "#888", "bad-wall": "#eee",
        };
        for (const [name, grey] of Object.entries(greys)) {
            document.documentElement.style.setProperty(`--${name}`, name === chosen ? "#c2185b" : grey);
        }
    }, name);
};

try {
    const logo = join(work, "logo.svg");
    const css = join(work, "own.css");
    writeFileSync(logo, LOGO);
    writeFileSync(css, ":root { --accent: #7a3b10 }\n");
    // Each picture of a refusal is one more failure.
    const site = await serve("--password-policy", "standard", "--throttle-free", "1000");
    await inhabit(site);
    const own = await serve(
        "--signup", "closed", "--title", "Haus am See & Söhne", "--logo", logo, "--css", css,
        "--help-text", "Questions? Ask at the front desk, extension 12.",
    );
    await take("sign-up.png", site, "/signup", {});
    await take("sign-in-dark.png", site, "/login", { colorScheme: "dark" });
    await take("sign-in-refused-german.png", site, "/login", { language: "de", typed: "anna" });
    await take("sign-in-own-look.png", own, "/login", {});
    for (const name of VARIABLES) {
        await take(`variables/${name}.png`, site, "/login", { typed: "anna", paint: only(name), scale: 0.5 });
    }
} finally {
    await browser.close();
    cleanUp();
}
