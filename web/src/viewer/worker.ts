// The Worker around the WebAssembly viewer: the socket, the decoder and the
// canvas live here, so that the page never holds them up.
import init, { Viewer } from "../wasm/viewer.js";
import wasmUrl from "../wasm/viewer_bg.wasm?url";
import { decodesVideo, Film, type Picture } from "./film";
import type { Command, Quality, Report } from "./messages";

const scope = self as unknown as DedicatedWorkerGlobalScope;
let viewer: Viewer | null = null;
let film: Film | null = null;
let quality: Quality = { preset: "auto", frames: 0, kbit: 0 };
/** Whether this viewer may say how pictures are wanted. */
let chooses = false;
let video = false;
let canvas: OffscreenCanvas | null = null;
let timer = 0;
const waiting: Command[] = [];
const ready = Promise.all([init({ module_or_path: wasmUrl }), decodesVideo().then((works) => { video = works; })]);

const tell = (report: Report) => scope.postMessage(report);

function open(url: string, token: string, display: number) {
  if (!canvas) return;
  close();
  const opened: Viewer = new Viewer(canvas, url, token, display, video, (report: Report | ({ type: "film" } & Picture)) => {
    if (report.type === "film") film?.play(report);
    else {
      tell(report);
      // Neither a new line nor an agent that is back knows what was chosen; it may
      // take this viewer for somebody who chose otherwise.
      if (report.type === "welcome") chooses = report.access === "control";
      if (report.type === "welcome" || (report.type === "notice" && report.phase === "live")) prefer(opened);
    }
  });
  viewer = opened;
  const context = canvas.getContext("2d");
  film = context ? new Film(opened, context) : null;
  timer = scope.setInterval(() => {
    if (viewer && !viewer.tick()) {
      close();
      tell({ type: "closed", code: 1006, said_goodbye: false });
    }
  }, 1000);
}

function prefer(viewer: Viewer) {
  if (chooses) viewer.quality(quality.preset, quality.frames, quality.kbit);
}

function close() {
  scope.clearInterval(timer);
  film?.close();
  film = null;
  const before = viewer;
  viewer = null;
  before?.close();
  before?.free();
}

function carryOut(command: Command) {
  switch (command.type) {
    case "canvas": canvas = command.canvas; return;
    case "open": open(command.url, command.token, command.display); return;
    case "close": close(); return;
    case "quality": quality = command.quality; break;
    default:
  }
  if (!viewer) return;
  switch (command.type) {
    case "time": viewer.time(command.at); return;
    case "key": viewer.key(command.code, command.down, command.repeat, command.modifiers); return;
    case "text": viewer.text(command.text); return;
    case "move": viewer.pointer_move(command.x, command.y); return;
    case "button": viewer.pointer_button(command.x, command.y, command.button, command.down); return;
    case "wheel": viewer.wheel(command.x, command.y, command.right, command.up); return;
    case "special": viewer.special(command.name); return;
    case "reset": viewer.reset(); return;
    case "control": viewer.control(command.take); return;
    case "display": viewer.display(command.id); return;
    case "chat": viewer.chat(command.text); return;
    case "quality": prefer(viewer); return;
    default:
  }
}

scope.onmessage = (event: MessageEvent<Command>) => {
  waiting.push(event.data);
  void ready.then(() => {
    for (let next = waiting.shift(); next; next = waiting.shift()) carryOut(next);
  }).catch(broken);
};

function broken(error: unknown) {
  close();
  tell({ type: "broken", text: `The viewer cannot work in this browser: ${String(error)}` });
}
