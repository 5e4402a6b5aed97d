// Servers to look at, each over a new database, and the browser that looks at them.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createWebServer } from "node:http";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

// Where the modules are: outside the source tree.
const require = createRequire(join(process.env.BROWSER_MODULES, "x"));
const { chromium } = require("playwright-core");
export const axe = require("axe-core");

export const binary = process.env.BINARY;
export const work = mkdtempSync(join(tmpdir(), "vestibule-browser-"));

const running = [];

// With an origin, one address may create no more than a few accounts.
const FREELY = ["--signup-free", "10000"];

/** The path on their hosts below which all sites are: empty, or as in /auth. */
export const prefix = process.env.PREFIX ?? "";

/** The path of a page on its host. */
export const at = (path) => prefix + path;

/** The selector of a link to a page, and of a form that is sent there. */
export const linkTo = (path) => `a[href='${at(path)}']`;
export const formTo = (path) => `form[action='${at(path)}']`;

/** The sign-in page that leads back to a page of the site. */
export const backTo = (path) => `/login?next=${encodeURIComponent(at(path))}`;

/** Serves with these flags on a free port. */
export function serve(...flags) {
    return prefix ? serveNamed(...flags) : start("127.0.0.1:0", flags);
}

/** Serves with these flags and an origin, which names the port: that is chosen before, and may be another's by then. */
export const serveNamed = (...flags) => serveAs("127.0.0.1", flags);

/** As `serveNamed`, by the one name for which browsers make passkeys without TLS. */
export const serveLocalhost = (...flags) => serveAs("localhost", flags);

async function serveAs(host, flags) {
    for (let tries = 1; ; tries += 1) {
        const port = await freePort();
        const url = `http://${host}:${port}${prefix}`;
        try {
            return await start(`127.0.0.1:${port}`, ["--origin", url, ...FREELY, ...flags], host);
        } catch (error) {
            if (tries === 5 || !/address.*in use/i.test(error.message)) throw error;
        }
    }
}

/** Serves a site that mails, by a program which keeps each mail in a file. */
export async function serveWithMail(...flags) {
    const folder = mkdtempSync(join(work, "mail-"));
    const program = join(folder, "sendmail");
    const mails = join(folder, "mails");
    mkdirSync(mails);
    writeFileSync(program, `#!/bin/sh\ncat > ${folder}/part.$$ && mv ${folder}/part.$$ ${mails}/$$\n`);
    chmodSync(program, 0o700);
    const sender = ["--mail-command", `${program} -t -i`, "--mail-from", "Example <no-reply@example.com>"];
    return Object.assign(await serveNamed(...sender, ...flags), { mails });
}

/** The last mail to an address, as a reader sees its text. */
export async function mailTo(site, address) {
    for (let tries = 0; tries < 200; tries += 1) {
        const files = readdirSync(site.mails).map((name) => join(site.mails, name));
        files.sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
        const mails = files.map((file) => readFileSync(file, "utf8"));
        const mail = mails.find((it) => it.includes(`\nTo: ${address}\r\n`));
        if (mail) return decode(mail.slice(mail.indexOf("\r\n\r\n")));
        await pause(50);
    }
    throw new Error(`no mail to ${address}: ${site.log}`);
}

/** What quoted-printable text says (RFC 2045, section 6.7). */
function decode(text) {
    const bytes = text.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString("utf8");
}

/** The path, within the site, of the link in a mail. */
export const linkIn = (site, mail) => mail.split("\n").find((line) => line.startsWith(`${site.url}/`)).trim().slice(site.url.length);

/** Runs an operator's command on the database of a site. */
export function operate(site, ...words) {
    const env = { ...process.env, VESTIBULE_DATABASE: site.database };
    return execFileSync(binary, words, { env, encoding: "utf8" });
}

/** Adds a first account. Without any, browsers are led from the sign-in to the sign-up. */
export async function inhabit(site) {
    const body = new URLSearchParams({ username: "first", password: "three unrelated words" });
    const { status } = await fetch(`${site.url}/signup`, { method: "POST", body, redirect: "manual" });
    if (status !== 302) throw new Error(`no account: ${status}`);
}

/** Another site, on this host by default: `answer` is given each request. */
export async function serveElsewhere(answer, host = "127.0.0.1") {
    const server = createWebServer(answer);
    await new Promise((found) => server.listen(0, "127.0.0.1", found));
    server.unref();
    return { url: `http://${host}:${server.address().port}` };
}

async function start(address, flags, host) {
    const database = join(work, `${running.length}.db`);
    const server = spawn(
        binary,
        ["serve", "--listen", address, "--database", database, ...flags],
        { stdio: ["ignore", "ignore", "pipe"] },
    );
    const site = { database, log: "", url: undefined, server };
    running.push(server);
    await new Promise((found, failed) => {
        server.stderr.setEncoding("utf8").on("data", (text) => {
            site.log += text;
            const address = /ev=listening address=(\S+)/.exec(site.log);
            if (address) {
                const port = address[1].split(":").at(-1);
                site.url = `http://${host ? `${host}:${port}` : address[1]}${prefix}`;
                found();
            }
        });
        server.on("exit", () => failed(new Error(`the server has ended: ${site.log}`)));
    });
    return site;
}

function freePort() {
    return new Promise((found, failed) => {
        const server = createServer().on("error", failed);
        server.listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => found(port));
        });
    });
}

/** The path, within the site, of the link that an operator's command about this site prints. */
export function link(site, ...words) {
    return operate(site, ...words, "--origin", site.url).split(site.url)[1].trim().split(/\s/)[0];
}

/** A browser. `flags` are of Chromium. */
export function browse(options = {}) {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
        ...options,
    });
}

/** Ends all servers and removes what they have written. */
export function cleanUp() {
    for (const server of running) {
        server.removeAllListeners("exit").kill();
    }
    rmSync(work, { recursive: true, force: true });
}

/** The folder for pictures. */
export const pictures = process.env.PICTURES;
mkdirSync(pictures, { recursive: true });
