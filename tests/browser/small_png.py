"""Make pictures of pages small: a palette in place of three bytes a pixel, by the browser that took them.

No colour is off by more than what leaves 256 of them, which nobody sees in text and lines.
"""

import base64

from playwright.sync_api import Page

SHRINK = """
async (encoded) => {
  const bitmap = await createImageBitmap(await (await fetch("data:image/png;base64," + encoded)).blob());
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(bitmap, 0, 0);
  const pixels = new Uint32Array(canvas.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const colours = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
  const parts = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const apart = (a, b) => Math.max(...a.map((part, index) => Math.abs(part - b[index])));
  let palette = [], placeOf = new Map();
  for (let error = 0; ; error += 2) {
    palette = []; placeOf = new Map();
    for (const colour of colours) {
      const found = parts(colour);
      let place = palette.findIndex((known) => apart(known, found) <= error);
      if (place < 0) place = palette.push(found) - 1;
      placeOf.set(colour, place);
      if (palette.length > 256) break;
    }
    if (palette.length <= 256) break;
  }
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0, from = 0, to = 0; y < height; y += 1) {
    to += 1;
    for (let x = 0; x < width; x += 1) rows[to++] = placeOf.get(pixels[from++]);
  }
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const table = Uint32Array.from({ length: 256 }, (_, number) => {
    let value = number;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  const chunk = (kind, body) => {
    const bytes = new Uint8Array(12 + body.length), view = new DataView(bytes.buffer);
    view.setUint32(0, body.length);
    bytes.set(new TextEncoder().encode(kind), 4);
    bytes.set(body, 8);
    let sum = 0xffffffff;
    for (const byte of bytes.subarray(4, 8 + body.length)) sum = (sum >>> 8) ^ table[(sum ^ byte) & 255];
    view.setUint32(8 + body.length, ~sum >>> 0);
    return bytes;
  };
  const head = new Uint8Array(13), view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 3, 0, 0, 0], 8);
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const colourTable = chunk("PLTE", Uint8Array.from(palette.flat()));
  const chunks = [chunk("IHDR", head), colourTable, chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  const whole = new Blob([signature, ...chunks]);
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(whole);
  });
  return url.slice(url.indexOf(",") + 1);
}
"""


def small_png(blank: Page, picture: bytes) -> bytes:
    """Return the picture as a PNG with a palette; `blank` is a page that may run scripts."""
    return base64.b64decode(blank.evaluate(SHRINK, base64.b64encode(picture).decode()))
