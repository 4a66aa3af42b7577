// The remote pointer's picture as a CSS cursor.
import type { Report } from "./messages";

/** What to set as `cursor`. */
export function cssCursor(shape: Extract<Report, { type: "cursor" }>): string {
  if (!shape.visible) return "none";
  const canvas = document.createElement("canvas");
  canvas.width = shape.width;
  canvas.height = shape.height;
  const context = canvas.getContext("2d");
  if (!context) return "default";
  const straight = new Uint8ClampedArray(shape.rgba.length);
  for (let i = 0; i < straight.length; i += 4) {
    const alpha = shape.rgba[i + 3] ?? 0;
    for (let c = 0; c < 3; c++) straight[i + c] = alpha ? ((shape.rgba[i + c] ?? 0) * 255) / alpha : 0;
    straight[i + 3] = alpha;
  }
  context.putImageData(new ImageData(straight, shape.width, shape.height), 0, 0);
  return `url(${canvas.toDataURL()}) ${Math.min(shape.x, shape.width)} ${Math.min(shape.y, shape.height)}, default`;
}
