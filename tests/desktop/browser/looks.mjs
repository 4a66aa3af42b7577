// What is wrong with a page as it looks: to axe, to the eye, to the keyboard.
import { createRequire } from "node:module";

const require = createRequire(process.env.GC_WEB + "/package.json");

/** Sizes and colours in which every page is looked at. */
export const SIZES = [{ width: 1280, height: 720 }, { width: 1920, height: 1080 }];
export const PHONE = { width: 390, height: 844 };
export const COLOURS = ["light", "dark"];

/** What axe finds, in words. */
export async function axe(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(require("axe-core").source);
  const result = await page.evaluate(() => window.axe.run(document, { rules: { "target-size": { enabled: true } } }));
  return result.violations.map((violation) => `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target.join(" ")).join("; ")})`);
}

/** What does not fit: a page that is pushed sideways, text that is cut off
 * without a sign of it, controls under one another. */
export function crooked() {
  const found = [];
  const name = (element) => {
    const text = (element.innerText || element.getAttribute("aria-label") || "").trim().slice(0, 40);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${JSON.stringify(text)}`;
  };
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide where there are ${innerWidth}`);
  for (const element of document.body.querySelectorAll("*")) {
    if (!shown(element) || element.closest(".hidden-text, .keys, svg")) continue;
    const style = getComputedStyle(element);
    const cuts = style.overflowX === "hidden" || style.overflowX === "clip";
    if (cuts && element.scrollWidth > element.clientWidth + 1 && style.textOverflow !== "ellipsis" && element.innerText) {
      found.push(`${name(element)} is cut off at its side`);
    }
    const words = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (words && !element.closest(".table-wrap")) {
      const box = element.getBoundingClientRect();
      if (box.right > innerWidth + 1 || box.left < -1) found.push(`${name(element)} stands beyond the page's edge`);
    }
  }
  for (const control of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
    if (!shown(control) || control.closest(".hidden-text") || control.matches(".keys")) continue;
    const box = control.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    if (x < 0 || y < 0 || x > innerWidth || y > innerHeight) continue;
    const top = document.elementFromPoint(x, y);
    // What stays in view while the page scrolls may lie over something.
    if (!top || control.contains(top) || top.contains(control) || top.closest(".save, .curtain, dialog, label, .chat, .toast")) continue;
    found.push(`${name(control)} is covered by ${name(top)}`);
  }
  return found;
}

/** Controls that the Tab key does not reach, or that do not show that they
 * have been reached. */
export async function by_keyboard(page) {
  const count = await page.evaluate(() => {
    const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")];
    const inside = document.querySelector("dialog[open]") ?? document;
    window.walked = new Map(all.filter((one) => inside.contains(one) && one.checkVisibility({ opacityProperty: true }) && !one.disabled && one.tabIndex >= 0).map((one) => [one, ""]));
    document.activeElement?.blur();
    return window.walked.size;
  });
  for (let step = 0; step < count * 3 + 12; step += 1) {
    await page.keyboard.press("Tab");
    const over = await page.evaluate(() => {
      const now = document.activeElement;
      if (!window.walked.has(now)) return false;
      const style = getComputedStyle(now);
      const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      // A field of several parts shows it on the part.
      if (window.walked.get(now) !== "seen") window.walked.set(now, seen ? "seen" : "unseen");
      return [...window.walked.values()].every(Boolean);
    });
    if (over) break;
  }
  return page.evaluate(() => [...window.walked].filter(([, how]) => how !== "seen").map(([one, how]) => `${one.outerHTML.slice(0, 90)}: ${how ? "does not show its focus" : "is not reached by Tab"}`));
}
