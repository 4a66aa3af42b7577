// Video in the browser: H.264 through WebCodecs, drawn over the lossless picture.

/** What the WebAssembly viewer hands over. */
export interface Picture {
  id: number;
  x: number;
  y: number;
  width: number;
  height: number;
  fresh: boolean;
  codec: string;
  unit: Uint8Array;
}

interface Owner {
  /** A picture is decoded: whether it is still to be drawn. */
  film_decoded: (id: number) => boolean;
  /** It is drawn. */
  film_drawn: () => void;
  /** Once more from the beginning, or, for good, without video. */
  film_failed: (forGood: boolean) => void;
}

/** A decoder that says nothing for so long is stuck. */
const SILENCE = 2_000;
const MINUTE = 60_000;
/** A grey picture of 64 by 64 pixels (baseline, no reordering), to try a decoder with. */
const TRIAL = "000000016742c0148c684249a80808083c2211a80000000168ce3c800000000165b8000409e4e4e4e4ebaebaebaebaebaebaf0";
const TRIAL_CODEC = "avc1.42C014";

function config(codec: string, software: boolean): VideoDecoderConfig {
  return { codec, optimizeForLatency: true, hardwareAcceleration: software ? "prefer-software" : "no-preference" };
}

/** Whether this browser really decodes H.264: names alone are often promises. */
export async function decodesVideo(): Promise<boolean> {
  if (typeof VideoDecoder === "undefined") return false;
  const data = Uint8Array.from(TRIAL.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(false), SILENCE);
    const decoder = new VideoDecoder({
      output: (frame) => {
        frame.close();
        done(true);
      },
      error: () => done(false),
    });
    function done(works: boolean) {
      clearTimeout(timer);
      if (decoder.state !== "closed") decoder.close();
      resolve(works);
    }
    try {
      decoder.configure(config(TRIAL_CODEC, false));
      decoder.decode(new EncodedVideoChunk({ type: "key", timestamp: 0, data }));
    } catch {
      done(false);
    }
  });
}

/** The video of one session. */
export class Film {
  #decoder: VideoDecoder | null = null;
  /** Handed over and not come out yet, by their time stamps. */
  #inside = new Map<number, Picture>();
  #timer = 0;
  /** The first decoder has failed; this one is the browser's own. */
  #software = false;
  /** When one failed last, of `performance.now()`. */
  #failed = -Infinity;
  #owner: Owner;
  #context: OffscreenCanvasRenderingContext2D;

  constructor(owner: Owner, context: OffscreenCanvasRenderingContext2D) {
    this.#owner = owner;
    this.#context = context;
  }

  play(picture: Picture) {
    try {
      if (picture.fresh) this.#begin(picture.codec);
      if (!this.#decoder) return;
      this.#inside.set(picture.id, picture);
      this.#decoder.decode(new EncodedVideoChunk({ type: picture.fresh ? "key" : "delta", timestamp: picture.id, data: picture.unit }));
      this.#watch();
    } catch {
      this.#fail();
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#inside.clear();
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
  }

  #begin(codec: string) {
    this.close();
    const decoder: VideoDecoder = new VideoDecoder({
      output: (frame) => {
        try {
          if (this.#decoder === decoder) this.#draw(frame);
        } finally {
          frame.close();
        }
      },
      error: () => {
        if (this.#decoder === decoder) this.#fail();
      },
    });
    decoder.configure(config(codec, this.#software));
    this.#decoder = decoder;
  }

  #draw(frame: VideoFrame) {
    const picture = this.#inside.get(frame.timestamp);
    if (!picture) return;
    for (const id of [...this.#inside.keys()]) {
      this.#inside.delete(id);
      if (id === picture.id) break;
    }
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#watch();
    if (!this.#owner.film_decoded(picture.id)) return;
    // Coded at least as large as the region; what is more is cut off. Places
    // within a frame count from its visible part.
    const { x, y, width, height } = picture;
    this.#context.drawImage(frame, 0, 0, width, height, x, y, width, height);
    this.#owner.film_drawn();
  }

  /** Something is inside: it has to come out in time. */
  #watch() {
    if (this.#timer || this.#inside.size === 0) return;
    this.#timer = setTimeout(() => this.#fail(), SILENCE) as unknown as number;
  }

  #fail() {
    // Again within a minute, in software: it does not work here.
    const forGood = this.#software && performance.now() - this.#failed < MINUTE;
    this.#failed = performance.now();
    this.#software = true;
    this.close();
    this.#owner.film_failed(forGood);
  }
}
