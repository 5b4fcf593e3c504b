// The picture by MediaSource: one fragment a frame, kept close to the live edge.

import { Link } from "./link.js";
import { FRAGMENT } from "./wire.js";

/** Farther behind than this it jumps to the edge; a little behind it plays a little faster. */
const BEHIND_S_MAX = 1;
const BEHIND_S_GOOD = 0.25;
const EDGE_S = 0.12;
const FASTER = 1.06;
const KEPT_S = 12;
const TRIM_S = 24;
const QUEUE_MAX = 240;
const LOOK_MS = 250;
const FAULTS_MAX = 3;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

export class FragmentsPicture {
  static possible() {
    return Boolean(Source?.isTypeSupported('video/mp4; codecs="avc1.42E01E, mp4a.40.2"'));
  }

  screen = document.createElement("video");
  stats = { appended: 0, skips: 0, faults: 0 };
  #tell;
  #link;
  #source = null;
  #buffer = null;
  #address = null;
  #queue = [];
  #waiting = false;
  /** The server's time and the stream's at the end of what is buffered; `#next` once what is being appended is. */
  #edge = null;
  #next = null;
  #positions = [];
  #paused = false;
  #look = null;
  #lastTime = -1;

  constructor(url, tell) {
    this.#tell = tell;
    this.screen.muted = true;
    this.screen.playsInline = true;
    this.screen.disableRemotePlayback = true;
    this.#link = new Link(`${url.replace(/^http/, "ws")}/preview?format=mp4`, {
      onHello: (hello) => this.#hello(hello),
      onPacket: (packet) => this.#take(packet),
      onNote: (note) => note.op === "position" && this.#positions.push(note) > 60 && this.#positions.shift(),
      onBye: () => tell.bye(),
      onLost: (attempts) => tell.lost(attempts),
    });
  }

  start() {
    this.#look ??= setInterval(() => this.#watch(), LOOK_MS);
    this.#link.start();
  }

  stop() {
    clearInterval(this.#look);
    this.#look = null;
    this.#link.stop();
    this.#release();
  }

  hurry() {
    this.#link.hurry();
  }

  pause(paused) {
    this.#paused = paused;
    if (paused) {
      this.#link.stop();
      this.screen.pause();
    } else this.#link.start();
  }

  async sound(on, volume) {
    this.screen.volume = volume;
    this.screen.muted = !on;
  }

  rest() {
    if (document.pictureInPictureElement || !this.screen.muted) return;
    this.#link.stop();
    this.screen.pause();
  }

  wake() {
    if (!this.#paused) this.#link.start();
  }

  shownAt() {
    const behind = this.#behind();
    return behind === null || this.#edge === null ? null : this.#edge.at - behind * 1000;
  }

  async window() {
    return this.screen;
  }

  /** A new timeline: after it was connected, and when the encoder was started again. */
  #hello(hello) {
    this.#tell.server(hello.server);
    if (!Source.isTypeSupported(hello.mime)) {
      this.#tell.unsuitable();
      return;
    }
    this.#release();
    const source = (this.#source = new Source());
    this.#address = URL.createObjectURL(source);
    this.screen.src = this.#address;
    source.addEventListener(
      "sourceopen",
      () => {
        if (this.#source !== source) return;
        source.duration = Infinity;
        this.#buffer = source.addSourceBuffer(hello.mime);
        this.#buffer.addEventListener("updateend", () => {
          this.#edge = this.#next ?? this.#edge;
          this.#feed();
        });
        this.#buffer.addEventListener("error", () => this.#fault());
        this.#feed();
      },
      { once: true },
    );
    this.#play();
  }

  #play() {
    // refused where the page may not play yet, and broken off by a new timeline: the next fragment asks again
    this.screen.play().catch(() => {});
  }

  #release() {
    this.#queue = [];
    this.#positions = [];
    this.#buffer = this.#source = this.#edge = this.#next = null;
    this.#waiting = false;
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }

  #take(packet) {
    if (packet.kind !== FRAGMENT) return;
    if (this.#queue.length > QUEUE_MAX) {
      // nothing is appended, so what waits is old: begin again at the next key frame
      this.stats.skips += 1;
      this.#queue = this.#queue.filter((one) => one.init);
      this.#waiting = true;
    }
    if (this.#waiting && !packet.key && !packet.init) return;
    if (packet.key) this.#waiting = false;
    this.#queue.push(packet);
    this.#feed();
  }

  #feed() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#source?.readyState !== "open") return;
    try {
      const { buffered, currentTime } = this.screen;
      if (buffered.length && currentTime - buffered.start(0) > TRIM_S) {
        buffer.remove(0, currentTime - KEPT_S);
        return;
      }
      if (!this.#queue.length) return;
      // what waits is appended in one piece
      const parts = this.#queue.splice(0);
      const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.payload.length, 0));
      let at = 0;
      for (const part of parts) {
        whole.set(part.payload, at);
        at += part.payload.length;
      }
      const last = parts.findLast((part) => !part.init);
      if (last) this.#next = { at: last.at + last.duration / 1000, pts: last.pts + last.duration };
      buffer.appendBuffer(whole);
      this.stats.appended += parts.length;
    } catch {
      this.#fault();
    }
  }

  #fault() {
    this.stats.faults += 1;
    if (this.stats.faults >= FAULTS_MAX) {
      this.#tell.unsuitable();
      return;
    }
    this.#link.stop();
    this.#link.start();
  }

  #behind() {
    const { buffered, currentTime } = this.screen;
    const last = buffered.length - 1;
    return last < 0 || currentTime < buffered.start(last) ? null : Math.max(0, buffered.end(last) - currentTime);
  }

  #watch() {
    const video = this.screen;
    const { buffered } = video;
    if (!buffered.length || this.#paused || !this.#link.running) return;
    const last = buffered.length - 1;
    const behind = this.#behind();
    if (behind === null || behind > BEHIND_S_MAX) {
      if (video.currentTime > 0) this.stats.skips += 1;
      video.currentTime = Math.max(buffered.start(last), buffered.end(last) - EDGE_S);
    }
    video.playbackRate = behind > BEHIND_S_GOOD ? FASTER : 1;
    if (video.paused) this.#play();
    if (video.error) this.#fault();
    if (video.currentTime !== this.#lastTime && video.videoWidth) this.#tell.playing();
    this.#lastTime = video.currentTime;
    if (!this.#edge || behind === null) return;
    const shown = this.#edge.pts - behind * 1e6;
    let reached = null;
    while (this.#positions.length && this.#positions[0].pts_us <= shown) reached = this.#positions.shift();
    if (reached) this.#tell.position(reached.position);
  }
}
