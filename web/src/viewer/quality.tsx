// How pictures are wanted: a choice, and where it is one's own, two numbers.
import { useEffect, useId, useRef, useState } from "react";

import type { Preset, Quality } from "./messages";

/** What the two numbers may be; the agent takes no more pictures than that. */
const LIMITS = { frames: { least: 1, most: 60 }, kbit: { least: 100, most: 1_000_000 } } as const;
/** Numbers count when the hand has rested on them for so long. */
const RESTS = 400;

const PRESETS: [Preset, string][] = [
  ["auto", "automatic: exact, films as video"],
  ["balanced", "balanced: films as small video"],
  ["low", "little data: video while anything moves"],
  ["high", "exact, always"],
  ["custom", "custom"],
];

/** Where nobody has chosen yet; the numbers are what custom begins with. */
export const USUAL: Quality = { preset: "auto", frames: 30, kbit: 4000 };

/** A whole number within its limits; null where what was typed is none. */
function parsed(text: string, { least, most }: { least: number; most: number }): number | null {
  const number = /^\d{1,7}$/.test(text.trim()) ? Number(text) : NaN;
  return number >= least && number <= most ? number : null;
}

export function QualityChoice({ quality, choose }: { quality: Quality; choose: (quality: Quality) => void }) {
  return (
    <>
      <label className="choice">Quality
        <select value={quality.preset} onChange={(e) => choose({ ...quality, preset: e.target.value as Preset })}>
          {PRESETS.map(([preset, label]) => <option key={preset} value={preset}>{label}</option>)}
        </select>
      </label>
      {quality.preset === "custom" ? (
        <div className="custom">
          <Amount label="Most pictures per second" limits={LIMITS.frames} value={quality.frames} change={(frames) => choose({ ...quality, frames })} />
          <Amount label="Most kbit/s" limits={LIMITS.kbit} value={quality.kbit} change={(kbit) => choose({ ...quality, kbit })} />
        </div>
      ) : null}
    </>
  );
}

function Amount({ label, limits, value, change }: { label: string; limits: { least: number; most: number }; value: number; change: (value: number) => void }) {
  const [typed, setTyped] = useState(String(value));
  const wrong = useId();
  const number = parsed(typed, limits);
  const latest = useRef(change);
  useEffect(() => { latest.current = change; });
  useEffect(() => {
    if (number === null || number === value) return;
    const timer = setTimeout(() => latest.current(number), RESTS);
    return () => clearTimeout(timer);
  }, [number, value]);
  return (
    <>
      <label>{label}{" "}
        <input
          type="number" inputMode="numeric" min={limits.least} max={limits.most} step={1} value={typed} onChange={(e) => setTyped(e.target.value)}
          aria-invalid={number === null} aria-describedby={number === null ? wrong : undefined}
          // What was typed counts at once where the hand goes elsewhere.
          onBlur={() => { if (number !== null && number !== value) change(number); }}
        />
      </label>
      {number === null ? <span className="wrong" id={wrong} role="alert">A whole number from {limits.least} to {limits.most}.</span> : null}
    </>
  );
}
