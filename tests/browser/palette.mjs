// Small pictures: PNG with a palette, which for a page of few colours is a quarter of what Chromium writes.

import { crc32, deflateSync } from "node:zlib";

const COLOURS_MAX = 160;

/** A picture of few colours, in which each pixel has the nearest of those that occur most. */
export function shrink({ width, height, pixels }) {
    const counts = new Map();
    for (const it of pixels) counts.set(it, (counts.get(it) ?? 0) + 1);
    const palette = [...counts].sort(([, one], [, other]) => other - one).slice(0, COLOURS_MAX).map(([it]) => it);
    const nearest = new Map([...counts.keys()].map((it) => [it, closest(palette, it)]));
    const rows = Buffer.alloc((width + 1) * height);
    for (let at = 0; at < pixels.length; at += 1) {
        rows[at + Math.floor(at / width) + 1] = nearest.get(pixels[at]);
    }
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, 3, 0, 0, 0], 8);
    return Buffer.concat([
        Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
        chunk("IHDR", head),
        chunk("PLTE", Buffer.from(palette.flatMap(parts))),
        chunk("IDAT", deflateSync(rows, { level: 9 })),
        chunk("IEND", Buffer.alloc(0)),
    ]);
}

const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];

function closest(palette, colour) {
    const distance = (one) => parts(one).reduce((sum, it, place) => sum + (it - parts(colour)[place]) ** 2, 0);
    return palette.reduce((best, it, place) => (distance(it) < distance(palette[best]) ? place : best), 0);
}

function chunk(kind, data) {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body) >>> 0);
    return Buffer.concat([length, body, sum]);
}

/** In a browser: the pixels of a PNG, each as one number. */
export async function pixelsOf(base64) {
    const bytes = Uint8Array.from(atob(base64), (it) => it.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const { width, height } = image;
    const pen = new OffscreenCanvas(width, height).getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    const pixels = Array.from({ length: width * height }, (_, at) => {
        const [r, g, b] = data.subarray(at * 4, at * 4 + 3);
        return (r << 16) | (g << 8) | b;
    });
    return { width, height, pixels };
}
