// The picture by WebCodecs: every packet is decoded as it comes and drawn at the next refresh, some 20 ms later.

import { Link } from "./link.js";
import { Sound } from "./sound.js";
import { AUDIO, bytes, VIDEO } from "./wire.js";

/** So many packets may wait for the decoder; with more the picture goes on at the next key frame. */
const QUEUE_MAX = 24;
/** At a key frame a shorter queue is already reason enough to begin there. */
const QUEUE_MAX_AT_KEY = 5;
/** Decoded frames that wait for their sound. */
const FRAMES_MAX = 12;
/** A frame that is so far ahead of what is heard belongs to another time. */
const APART_US_MAX = 1_500_000;
const FAULTS_MAX = 3;
const REST_AFTER_MS = 10_000;

export class PacketsPicture {
  static possible() {
    return "VideoDecoder" in globalThis && "AudioDecoder" in globalThis;
  }

  screen = document.createElement("canvas");
  stats = { decoded: 0, drawn: 0, skips: 0, faults: 0 };
  #context = this.screen.getContext("2d", { alpha: false });
  #tell;
  #link;
  #sound = new Sound();
  #decoder = null;
  #config = null;
  #waiting = true;
  #frames = [];
  #refresh = null;
  #resting = false;
  #restTimer = null;
  #offset = null;
  #shown = null;
  #positions = [];
  #paused = false;
  #window = null;

  /** `tell` has `playing()`, `unsuitable()`, `lost(attempts)`, `bye()`, `server(ms)`, `position(text)`. */
  constructor(url, tell) {
    this.#tell = tell;
    this.#link = new Link(`${url.replace(/^http/, "ws")}/preview`, {
      onHello: (hello) => this.#hello(hello),
      onPacket: (packet) => this.#take(packet),
      onNote: (note) => this.#note(note),
      onBye: () => tell.bye(),
      onLost: (attempts) => tell.lost(attempts),
    });
  }

  start() {
    this.#link.start();
  }

  stop() {
    this.#link.stop();
    clearTimeout(this.#restTimer);
    this.#close();
    this.#sound.close();
    this.#window?.remove();
  }

  hurry() {
    this.#link.hurry();
  }

  pause(paused) {
    this.#paused = paused;
    this.#sound.turn(paused ? false : this.#wantsSound).catch(() => {});
    if (paused) this.#halt();
    else this.#resume();
  }

  #wantsSound = false;

  async sound(on, volume) {
    this.#wantsSound = on;
    this.#sound.volume = volume;
    if (on !== this.#sound.on && !this.#paused) await this.#sound.turn(on);
  }

  /** Nobody looks: nothing is drawn, and after a while nothing comes, unless somebody listens. */
  rest() {
    if (document.pictureInPictureElement) return;
    this.#resting = true;
    this.#drop();
    this.#restTimer = setTimeout(() => !this.#sound.on && this.#halt(), REST_AFTER_MS);
  }

  wake() {
    clearTimeout(this.#restTimer);
    if (!this.#resting) return;
    this.#resting = false;
    if (!this.#paused) this.#resume();
  }

  /** The server's time of what is shown. */
  shownAt() {
    return this.#shown === null || this.#offset === null ? null : this.#shown / 1000 + this.#offset;
  }

  /** A window of its own above others: a video that shows what is drawn. */
  async window() {
    if (!this.#window) {
      this.#window = document.createElement("video");
      this.#window.muted = true;
      this.#window.className = "picture-window";
      this.#window.srcObject = this.screen.captureStream();
      this.screen.after(this.#window);
      this.#window.addEventListener("leavepictureinpicture", () => document.hidden && this.rest());
      await this.#window.play();
    }
    return this.#window;
  }

  #halt() {
    this.#link.stop();
    this.#drop();
  }

  #resume() {
    if (!this.#link.running) this.#link.start();
  }

  async #hello(hello) {
    this.#tell.server(hello.server);
    const { video, audio } = hello;
    const config = {
      codec: video.codec,
      codedWidth: video.width,
      codedHeight: video.height,
      description: bytes(video.description),
      optimizeForLatency: true,
    };
    const heard = audio && {
      codec: audio.codec,
      sampleRate: audio.sample_rate,
      numberOfChannels: audio.channels,
      description: bytes(audio.description),
    };
    this.#config = null;
    this.#close();
    this.#offset = this.#shown = null;
    this.#positions = [];
    const [seen, listened] = await Promise.all([
      VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false })),
      heard ? AudioDecoder.isConfigSupported(heard).catch(() => ({ supported: false })) : { supported: true },
    ]);
    if (!seen.supported || !listened.supported) {
      this.#tell.unsuitable();
      return;
    }
    if (!this.#link.running) return;
    this.screen.width = video.width;
    this.screen.height = video.height;
    this.#config = config;
    this.#sound.configure(heard ?? null);
    // what came while the browser was asked is decoded now
    const held = this.#held;
    this.#held = [];
    for (const packet of held) this.#take(packet);
  }

  #held = [];

  #take(packet) {
    if (!this.#config) {
      if (packet.kind === VIDEO && packet.key) this.#held = [];
      if (this.#held.length < 240) this.#held.push(packet);
      return;
    }
    if (packet.kind === AUDIO) {
      this.#sound.push(packet);
      return;
    }
    if (packet.kind !== VIDEO || this.#resting) return;
    this.#offset = packet.at - packet.pts / 1000;
    const waiting = this.#decoder?.decodeQueueSize ?? 0;
    if (waiting > (packet.key ? QUEUE_MAX_AT_KEY : QUEUE_MAX)) {
      this.stats.skips += 1;
      this.#drop();
    }
    if (this.#waiting && !packet.key) return;
    if (this.#waiting) this.#open();
    this.#waiting = false;
    this.#decoder.decode(new EncodedVideoChunk({ type: packet.key ? "key" : "delta", timestamp: packet.pts, duration: packet.duration, data: packet.payload }));
  }

  #open() {
    if (this.#decoder?.state === "closed") this.#decoder = null;
    this.#decoder ??= new VideoDecoder({ output: (frame) => this.#keep(frame), error: (error) => this.#fault(error) });
    this.#decoder.configure(this.#config);
  }

  /** Forget what is not drawn yet; go on at the next key frame. */
  #drop() {
    this.#waiting = true;
    if (this.#decoder?.state === "configured") this.#decoder.reset();
    for (const frame of this.#frames) frame.close();
    this.#frames = [];
  }

  #close() {
    this.#drop();
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    if (this.#refresh !== null) cancelAnimationFrame(this.#refresh);
    this.#refresh = null;
  }

  #fault() {
    this.stats.faults += 1;
    this.#close();
    if (this.stats.faults >= FAULTS_MAX) this.#tell.unsuitable();
  }

  #keep(frame) {
    this.stats.decoded += 1;
    this.#frames.push(frame);
    if (this.#frames.length > FRAMES_MAX) this.#frames.shift().close();
    if (document.hidden) this.#draw();
    else this.#refresh ??= requestAnimationFrame(() => this.#draw());
  }

  /** The newest frame that is due: by the sound where it is on, else at once. */
  #draw() {
    this.#refresh = null;
    const heard = this.#sound.heard();
    const due = (frame) => heard === null || frame.timestamp <= heard || frame.timestamp - heard > APART_US_MAX;
    let shown = null;
    while (this.#frames.length && due(this.#frames[0])) {
      shown?.close();
      shown = this.#frames.shift();
    }
    if (shown) {
      this.#context.drawImage(shown, 0, 0, this.screen.width, this.screen.height);
      this.#shown = shown.timestamp;
      shown.close();
      this.stats.drawn += 1;
      this.#tell.playing();
      this.#place();
    }
    if (this.#frames.length && !document.hidden) this.#refresh = requestAnimationFrame(() => this.#draw());
  }

  #note(note) {
    if (note.op === "position") this.#positions.push(note);
    if (this.#positions.length > FRAMES_MAX) this.#positions.shift();
  }

  /** The log's position that the picture has reached. */
  #place() {
    let reached = null;
    while (this.#positions.length && this.#positions[0].pts_us <= this.#shown) reached = this.#positions.shift();
    if (reached) this.#tell.position(reached.position);
  }
}
