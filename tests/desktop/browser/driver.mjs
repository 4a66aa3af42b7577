// Drives a real browser by commands: one JSON object a line on standard input,
// one answer a line on standard output. What a command waits for, it waits for
// by events of the page, never by sleeping.
import { createRequire } from "node:module";
import { appendFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { axe, by_keyboard, COLOURS, crooked, PHONE, SIZES } from "./looks.mjs";

const require = createRequire(process.env.GC_WEB + "/package.json");
const { chromium } = require("playwright-core");

// Another kind of device, where the test wants one; `args` are the browser's own.
const { args: more_args = [], ...device } = JSON.parse(process.env.GC_DEVICE ?? "{}");
const context = await chromium.launchPersistentContext(process.env.GC_PROFILE, {
  executablePath: process.env.GC_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic", "--autoplay-policy=no-user-gesture-required",
    ...more_args,
  ],
  viewport: { width: 1440, height: 900 },
  ...device,
});
context.setDefaultTimeout(60_000);
const console_lines = [];
const faults = [];
// Where a folder is named, a picture is kept of what was waited for or failed.
const shots = process.env.GC_SHOTS;
let shot_number = 0;
async function keep(command) {
  if (!shots || !/^wait_|^error/.test(command)) return;
  const name = `${process.pid}-${String(++shot_number).padStart(2, "0")}-${command.replace(/\W+/g, "-").slice(0, 60)}`;
  await page.screenshot({ path: `${shots}/${name}.png` }).catch(() => undefined);
}
let page = context.pages()[0] ?? (await context.newPage());

// Where this run is recorded: consoles in a file, and what pages and server say
// to each other with the next answer.
const recorded = process.env.GC_CONSOLE;
const heard = [];
function said(line) {
  console_lines.push(line);
  if (recorded) appendFileSync(recorded, `${line}\n`);
}
async function listen(response) {
  const path = new URL(response.url()).pathname;
  if (!path.startsWith("/api/") || !(response.headers()["content-type"] ?? "").includes("json")) return;
  const cookies = (await response.headersArray()).filter((header) => header.name.toLowerCase() === "set-cookie");
  const call = { path, status: response.status(), request: response.request().postData(), cookies: cookies.map((header) => header.value) };
  // A page that goes takes its bodies along.
  heard.push({ ...call, answer: await response.text().catch(() => "") });
}
if (recorded) context.on("response", (response) => void listen(response).catch(() => undefined));

function watch(target) {
  target.on("console", (message) => {
    said(`${message.type()}: ${message.text()}`);
    if (message.type() === "error") faults.push({ text: message.text(), url: message.location().url });
  });
  target.on("pageerror", (error) => {
    said(`error: ${error}`);
    faults.push({ text: String(error), url: "" });
  });
  // The pages ask by questions of their own.
  target.on("dialog", (dialog) => {
    faults.push({ text: `a dialog of the browser: ${dialog.message()}`, url: target.url() });
    void dialog.dismiss();
  });
}
watch(page);

/** Pixels of the viewer's canvas, exact: drawn into another and read there. */
async function pixels(path) {
  const found = await page.evaluate(() => {
    const source = document.querySelector("#screen");
    const copy = document.createElement("canvas");
    copy.width = source.width;
    copy.height = source.height;
    const context = copy.getContext("2d", { willReadFrequently: true });
    // Where nothing was drawn this shows, and is no picture of anything.
    context.fillStyle = "#f0f";
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(source, 0, 0);
    const data = context.getImageData(0, 0, copy.width, copy.height).data;
    let text = "";
    for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
    return { width: copy.width, height: copy.height, data: btoa(text) };
  });
  writeFileSync(path, Buffer.from(found.data, "base64"));
  return { width: found.width, height: found.height };
}

/** What the console complained of since the last time, but for what the API
 * refuses and, where the line is lost, what cannot be reached. */
function complaints(lost) {
  return faults.splice(0).filter(({ text, url }) => {
    if (/^Failed to load resource: the server responded with a status of 4/.test(text) && new URL(url).pathname.startsWith("/api/")) return false;
    return !(lost && /net::ERR_|WebSocket connection to|dynamically imported module/.test(text));
  }).map(({ text, url }) => `the console says ${text} (${url})`);
}

/** The page in every theme and size, with a picture of each where a folder is
 * named; what is wrong with it, in words. Questions are looked at on a phone too. */
async function look(name, lost) {
  const found = [];
  const sizes = (await page.locator("dialog.ask").count()) > 0 ? [...SIZES, PHONE] : SIZES;
  for (const size of sizes) {
    await page.setViewportSize(size);
    for (const colorScheme of COLOURS) {
      await page.emulateMedia({ colorScheme });
      // As drawn, after whatever the new size brings.
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      const here = [...(size !== SIZES[1] ? await axe(page) : []), ...(await page.evaluate(crooked))];
      found.push(...here.map((words) => `${name}, ${size.width}, ${colorScheme}: ${words}`));
      if (shots) await page.screenshot({ path: `${shots}/${name}-${size.width}-${colorScheme}.png` });
    }
  }
  await page.setViewportSize(SIZES[0]);
  return [...found, ...complaints(lost).map((words) => `${name}: ${words}`)];
}

/** Where the characters of a US keyboard are: alone, and with Shift. */
const PLACES = { Backquote: "`~", Minus: "-_", Equal: "=+", BracketLeft: "[{", BracketRight: "]}", Backslash: "\\|", Semicolon: ";:", Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?", Space: "  ", Enter: "\n\n" };
[..."abcdefghijklmnopqrstuvwxyz"].forEach((letter) => (PLACES[`Key${letter.toUpperCase()}`] = letter + letter.toUpperCase()));
[...")!@#$%^&*("].forEach((shifted, digit) => (PLACES[`Digit${digit}`] = `${digit}${shifted}`));

/** Type as a hand does on a US keyboard, Shift held where it must be; what that
 * keyboard has no key for comes as an input method would bring it. */
async function hand_type(text) {
  let shifted = false;
  const hold = async (wanted) => {
    if (wanted !== shifted) await (wanted ? page.keyboard.down("ShiftLeft") : page.keyboard.up("ShiftLeft"));
    shifted = wanted;
  };
  for (const character of text) {
    const place = Object.entries(PLACES).find(([, both]) => both.includes(character));
    await hold(place !== undefined && place[1].indexOf(character) === 1);
    if (place) await page.keyboard.press(place[0]);
    else await page.keyboard.insertText(character);
  }
  await hold(false);
}

const commands = {
  async goto({ url }) { await page.goto(url); return page.url(); },
  async url() { return page.url(); },
  async back() { await page.goBack(); return page.url(); },
  // What a line that is cut, or a server that was updated, no longer brings.
  async block({ pattern }) { await context.route(pattern, (route) => route.abort()); return true; },
  // A browser of another kind: this comes before what a script of the pages does.
  async prefix({ pattern, script }) {
    await context.route(pattern, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${script}\n${await response.text()}` });
    });
    return true;
  },
  async unblock({ pattern }) { await context.unroute(pattern); return true; },
  async reload() { await page.reload(); return true; },
  async viewport({ width, height }) { await page.setViewportSize({ width, height }); return true; },
  async theme({ scheme }) { await page.emulateMedia({ colorScheme: scheme }); return true; },
  async fill({ label, text }) { await page.getByLabel(label, { exact: true }).fill(text); return true; },
  async click_button({ name }) { await page.getByRole("button", { name, exact: true }).first().click(); return true; },
  // Questions of the page, before something ends.
  async answer({ button }) {
    const question = page.locator("dialog.ask");
    await question.getByRole("button", { name: button, exact: true }).click();
    await question.waitFor({ state: "detached" });
    return true;
  },
  async click_link({ name }) { await page.getByRole("link", { name, exact: true }).first().click(); return true; },
  async choose({ selector, option }) { await page.locator(selector).first().selectOption({ label: option }); return true; },
  // Tabs: commands go to the one that was opened or shown last.
  async new_tab({ url }) { page = await context.newPage(); watch(page); await page.goto(url); return true; },
  async show_tab({ index }) { page = context.pages()[index]; await page.bringToFront(); return page.url(); },
  async close_tab() { await page.close(); page = context.pages().at(-1); await page.bringToFront(); return page.url(); },
  async click_selector({ selector }) { await page.locator(selector).first().click(); return true; },
  async wait_text({ text, timeout }) { await page.getByText(text).first().waitFor({ timeout: timeout ?? 60_000 }); return true; },
  async wait_selector({ selector, timeout }) { await page.locator(selector).first().waitFor({ timeout: timeout ?? 60_000 }); return true; },
  async wait_gone({ selector, timeout }) { await page.locator(selector).first().waitFor({ state: "hidden", timeout: timeout ?? 60_000 }); return true; },
  async text({ selector }) { return page.locator(selector).first().innerText(); },
  async count({ selector }) { return page.locator(selector).count(); },
  async title() { return page.title(); },
  async type({ text }) { await page.keyboard.type(text, { delay: 8 }); return true; },
  async hand_type({ text }) { await hand_type(text); return true; },
  async insert({ text }) { await page.keyboard.insertText(text); return true; },
  async press({ key }) { await page.keyboard.press(key); return true; },
  async down({ key }) { await page.keyboard.down(key); return true; },
  async up({ key }) { await page.keyboard.up(key); return true; },
  async canvas_click({ x, y }) { const box = await page.locator("#screen").boundingBox(); const size = await page.evaluate(() => ({ w: document.querySelector("#screen").width, h: document.querySelector("#screen").height })); await page.mouse.click(box.x + (x * box.width) / size.w, box.y + (y * box.height) / size.h); return true; },
  async canvas_move({ x, y }) { const box = await page.locator("#screen").boundingBox(); const size = await page.evaluate(() => ({ w: document.querySelector("#screen").width, h: document.querySelector("#screen").height })); await page.mouse.move(box.x + (x * box.width) / size.w, box.y + (y * box.height) / size.h); return true; },
  async canvas_down() { await page.mouse.down(); return true; },
  async canvas_up() { await page.mouse.up(); return true; },
  async pixels({ path }) { return pixels(path); },
  async shot({ path }) { await page.screenshot({ path }); return true; },
  async evaluate({ script }) { return page.evaluate(script); },
  async console() { return console_lines; },
  async axe() { return axe(page); },
  async look({ name, lost }) { return look(name, lost); },
  async complaints({ lost }) { return complaints(lost); },
  async by_keyboard() { return by_keyboard(page); },
  async frames() { return page.frames().map((frame) => frame.url()); },
  async close() { await context.close(); return true; },
};

const lines = createInterface({ input: process.stdin });
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of lines) {
  const { command, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await commands[command](rest) };
    await keep(`${command}-${rest.text ?? rest.selector ?? ""}`);
  } catch (error) {
    answer = { error: String(error), console: console_lines.slice(-20) };
    await keep(`error-${command}`);
  }
  if (heard.length > 0) answer.heard = heard.splice(0);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (command === "close") break;
}
await context.close().catch(() => undefined);
process.exit(0);
