// The operator's own look: whatever colours it sets, what is written stays legible (WCAG 2.2: 4.5:1 for text,
// 3:1 for what shows a control and where the focus is), in the light and in the dark scheme.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { inhabit, serve, work } from "./site.mjs";
import { visit } from "./visitor.mjs";

/** Looks as operators write them: a colour for both schemes, two with light-dark(), two with a media query. */
export const LOOKS = {
    "the built-in one": "",
    "a dark accent for both schemes": ":root { --accent: #7a3b10 }",
    "a bright accent for both schemes": ":root { --accent: #ffe600 }",
    "a white background for both schemes": ":root { --wall: #fff; --door: white }",
    "a dark background for both schemes": ":root { --wall: #101828; --door: rgb(29 41 57) }",
    "an accent for each scheme": ":root { --accent: light-dark(#7a3b10, #f0b58a) }",
    "two sets by a media query":
        ":root { --accent: #7a3b10; --accent-over: #5c2b0a }\n" +
        "@media (prefers-color-scheme: dark) { :root { --accent: #f0b58a; --accent-over: #f7d0b3 } }",
    "the dark scheme for everyone": ":root { color-scheme: dark; --accent: #7a3b10 }",
};

/** An operator's logo, which would like to run a script. */
export const LOGO =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 48"><script>alert(1)</script>' +
    '<path d="M0 40L30 8l22 24L72 4l48 36z" fill="#3f7d4e"/></svg>';

/** The variables of an own look, in the order of the document. */
const DOCUMENT = readFileSync(new URL("../../docs/look.md", import.meta.url), "utf8");
export const VARIABLES = [...DOCUMENT.matchAll(/^\| `--([a-z-]+)` \|/gm)].map(([, name]) => name);

/** What stands on what, and by which contrast it has to stand out. */
const PAIRS = [
    ["ink", "door", 4.5], ["ink", "wall", 4.5], ["soft", "door", 4.5],
    ["accent", "door", 4.5], ["accent-over", "door", 4.5],
    ["on-accent", "accent", 4.5], ["on-accent", "accent-over", 4.5],
    ["bad", "bad-wall", 4.5], ["bad", "door", 3], ["edge", "door", 3],
];

const lowest = new Map();

/** The stylesheet of a site with an own look, without its own rules. */
let legible;

export async function register(check, browser) {
    const empty = join(work, "empty.css");
    writeFileSync(empty, "/* nothing */\n");
    const site = await serve("--css", empty);
    await inhabit(site);
    legible = await (await fetch(`${site.url}/style.css`)).text();

    check("stays legible with any colour in any variable of an own look", async () => {
        const visitor = await visit(browser, site);
        await visitor.open("/login");
        const colours = [..."0369cf"].flatMap((r) => [..."0369cf"].flatMap((g) => [..."0369cf"].map((b) => `#${r}${g}${b}`)));
        for (const colorScheme of ["light", "dark"]) {
            await visitor.page.emulateMedia({ colorScheme });
            const worst = await visitor.page.evaluate(measurePairs, { pairs: PAIRS, colours });
            for (const [on, under, ratio, least] of worst) {
                assert.ok(ratio >= least, `${colorScheme}: --${on} on --${under} has ${ratio.toFixed(2)}:1`);
                note(`any colour, ${least === 3 ? "control" : "text"}`, ratio);
            }
        }
        await visitor.leave();
    });

    check("documents every variable of the look and no other", async () => {
        const style = readFileSync(new URL("../../src/web/pages/style.css", import.meta.url), "utf8");
        const rules = style.slice(style.indexOf("@supports"), style.indexOf("* { box-sizing"));
        const set = [...rules.matchAll(/^ +--([a-z][a-z-]*): light-dark\((.+), (#\w+|okl.+)\);/gm)];
        assert.deepEqual(set.map(([, name]) => name).sort(), VARIABLES.toSorted());
        for (const [, name, light, dark] of set) {
            const row = DOCUMENT.split("\n").find((line) => line.startsWith(`| \`--${name}\` |`));
            for (const colour of [light, dark].filter((it) => it.startsWith("#"))) {
                assert.ok(row.includes(`\`${colour}\``), `${row} lacks ${colour}`);
            }
            assert.ok(existsSync(new URL(`../../docs/pages/variables/${name}.png`, import.meta.url)), name);
        }
        assert.equal(VARIABLES.length, 12);
    });
}

/** Each pair with every colour in the variables of both, one after the other and together: the lowest contrast. */
function measurePairs({ pairs, colours }) {
    const root = document.documentElement;
    const probe = document.createElement("i");
    document.body.append(probe);
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const luminance = (name) => {
        probe.style.color = `var(--_${name})`;
        pen.fillStyle = getComputedStyle(probe).color;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data]
            .map((it) => it / 255)
            .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const valued = (name) => {
        const all = colours.map((colour) => {
            root.style.setProperty(`--${name}`, colour);
            return luminance(name);
        });
        root.style.removeProperty(`--${name}`);
        all.push(luminance(name));
        return all;
    };
    const values = new Map([...new Set(pairs.flatMap(([on, under]) => [on, under]))].map((name) => [name, valued(name)]));
    const worst = pairs.map(([on, under, least]) => {
        let ratio = Infinity;
        for (const one of values.get(on)) {
            for (const other of values.get(under)) {
                ratio = Math.min(ratio, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
            }
        }
        return [on, under, ratio, least];
    });
    // What follows from --accent alone.
    for (const colour of colours) {
        root.style.setProperty("--accent", colour);
        for (const [on, under, least] of pairs) {
            const [one, other] = [luminance(on), luminance(under)];
            worst.push([on, under, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), least]);
        }
    }
    root.style.removeProperty("--accent");
    probe.remove();
    return worst;
}

/** Looks at the page that is open in each own look and scheme, and measures all that is written, all controls
 *  and the focus. */
export async function measureLooks(page, name) {
    for (const [look, css] of Object.entries(LOOKS)) {
        // The built-in look is what the site sends; with any other, it would send what keeps it legible as well.
        await page.evaluate(append, css && legible + css);
        for (const colorScheme of ["light", "dark"]) {
            await page.emulateMedia({ colorScheme });
            for (const { what, kind, ratio, least } of await page.evaluate(measure)) {
                assert.ok(ratio >= least, `${name} with ${look}, ${colorScheme}: ${what} has ${ratio.toFixed(2)}:1`);
                note(`${look === "the built-in one" ? "built-in" : "own looks"}, ${kind}`, ratio);
            }
        }
        await page.evaluate(append, "");
    }
}

function note(kind, ratio) {
    lowest.set(kind, Math.min(ratio, lowest.get(kind) ?? Infinity));
}

/** Puts these rules behind the site's own, as --css does, in place of those that were put there before. The
 *  policy of the pages allows no other way. */
function append(css) {
    const sheet = document.styleSheets[0];
    globalThis.added ??= sheet.cssRules.length;
    while (sheet.cssRules.length > globalThis.added) sheet.deleteRule(sheet.cssRules.length - 1);
    const parsed = new CSSStyleSheet();
    parsed.replaceSync(css);
    for (const { cssText } of parsed.cssRules) sheet.insertRule(cssText, sheet.cssRules.length);
}

function measure() {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return pen.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (colour) => {
        const [r, g, b] = [...rgba(colour)]
            .map((it) => it / 255)
            .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [a, b] = [luminance(one), luminance(other)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    const ground = (it) => {
        for (; it; it = it.parentElement) {
            const { backgroundColor } = getComputedStyle(it);
            if (rgba(backgroundColor)[3] === 255) return backgroundColor;
        }
        return "Canvas";
    };
    const found = [];
    const say = (it) => it.outerHTML.slice(0, 90);
    for (const it of document.querySelectorAll("main, main *")) {
        const { color, borderTopColor, borderTopWidth } = getComputedStyle(it);
        const isWritten = [...it.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (isWritten && !it.matches("option") && it.checkVisibility()) {
            found.push({ what: say(it), kind: "text", ratio: contrast(color, ground(it)), least: 4.5 });
        }
        if (it.matches("section, .fact, .rows li")) {
            const { borderBottomColor, borderBottomWidth } = getComputedStyle(it);
            const line = parseFloat(borderBottomWidth) > 0 ? borderBottomColor : borderTopColor;
            found.push({ what: `the line at ${say(it)}`, kind: "lines", ratio: contrast(line, ground(it)), least: 1.4 });
        }
        if (it.matches("input:not([type=hidden], [hidden]), select")) {
            found.push({ what: `what is typed in ${say(it)}`, kind: "text", ratio: contrast(color, ground(it)), least: 4.5 });
        }
        if (it.matches("input:not([type=hidden], [hidden], [type=checkbox]), select, button")) {
            const edge = parseFloat(borderTopWidth) > 0 ? borderTopColor : ground(it);
            found.push({ what: `the edge of ${say(it)}`, kind: "controls", ratio: contrast(edge, ground(it.parentElement)), least: 3 });
        }
        if (it.matches("a, button, input:not([type=hidden], [hidden]), select")) {
            it.focus({ focusVisible: true });
            const { outlineColor, outlineStyle } = getComputedStyle(it);
            const ratio = outlineStyle === "solid" ? contrast(outlineColor, ground(it.parentElement)) : 0;
            found.push({ what: `the focus on ${say(it)}`, kind: "focus", ratio, least: 3 });
        }
    }
    document.activeElement.blur();
    return found;
}

/** What is to be told at the end. */
export function figures() {
    return [...lowest].map(([kind, ratio]) => `the lowest contrast of ${kind}: ${ratio.toFixed(2)}:1`);
}
