// Runs all checks, a few at a time, and ends with how many there were.
// node run.mjs [PART OF A NAME], with BINARY, BROWSER_MODULES and PICTURES in the environment, and PREFIX for
// sites below this path of their hosts.

import { availableParallelism } from "node:os";

import * as factors from "./factors.mjs";
import * as flows from "./flows.mjs";
import * as looks from "./looks.mjs";
import * as managers from "./managers.mjs";
import * as pages from "./pages.mjs";
import * as passkeys from "./passkeys.mjs";
import { browse, cleanUp, prefix } from "./site.mjs";

const LONGEST = 120_000;

const began = Date.now();
const browser = await browse();
const checks = [];
for (const part of [pages, looks, flows, factors, passkeys, managers]) {
    await part.register((name, body) => checks.push({ name, body }), browser);
}
const wanted = checks.filter(({ name }) => name.includes(process.argv[2] ?? ""));
let passed = 0;
const failed = [];

async function lane() {
    for (let check = wanted.shift(); check; check = wanted.shift()) {
        const start = Date.now();
        const tooLong = new Promise((_, late) => {
            setTimeout(() => late(new Error("it takes too long")), LONGEST).unref();
        });
        try {
            await Promise.race([check.body(), tooLong]);
            passed += 1;
            console.log(`ok    ${check.name} (${Date.now() - start} ms)`);
        } catch (error) {
            failed.push(check.name);
            console.log(`FAIL  ${check.name}\n${error.stack}`);
        }
    }
}

try {
    await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, lane));
    await browser.close();
} finally {
    cleanUp();
}
const isWhole = process.argv[2] === undefined;
for (const request of isWhole ? pages.missing() : []) {
    failed.push(request);
    console.log(`FAIL  no check of pages.mjs comes to ${request}`);
}
for (const line of [...pages.figures(), ...looks.figures()]) {
    console.log(`--    ${line}`);
}
const seconds = Math.round((Date.now() - began) / 1000);
console.log(`${failed.length ? "FAIL " : "All  "} ${passed} of ${passed + failed.length} in a browser${prefix && ` below ${prefix}`}, in ${seconds} s`);
process.exit(failed.length ? 1 : 0);
