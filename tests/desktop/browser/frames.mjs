// Decodes frames from a file by the browser's decoder and says what became of each.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const { default: init, Frames } = await import(pathToFileURL(`${folder}/frames.js`).href);
await init({ module_or_path: readFileSync(`${folder}/frames_bg.wasm`) });

const bytes = readFileSync(file);
let at = 0;
const number = () => {
  at += 4;
  return bytes.readUInt32LE(at - 4);
};
while (at < bytes.length) {
  const [width, height, slots, count] = [number(), number(), number(), number()];
  const decoder = new Frames(width, height, slots);
  for (let frame = 0; frame < count; frame += 1) {
    const length = number();
    const taken = decoder.decode(bytes.subarray(at, at + length));
    at += length;
    let sum = 0;
    for (const pixel of decoder.pixels()) {
      sum = Math.imul(sum ^ pixel, 0x01000193);
      sum = (sum << 5) | (sum >>> 27);
    }
    console.log(`${taken ? 1 : 0} ${sum >>> 0}`);
  }
  decoder.free();
}
