// The picture as the browser itself plays HLS: some seconds behind, and it asks nothing of the page.

const LOOK_MS = 500;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 15_000;
/** No progress for so long is a lost picture. */
const STUCK_MS = 6_000;
/** Farther from the edge than this it jumps. */
const BEHIND_S_MAX = 10;
const EDGE_S = 3;
/** What segments of one second come to, measured; said where the browser does not tell. */
const USUAL_MS = 4_000;

export class SegmentsPicture {
  static possible() {
    return document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
  }

  screen = document.createElement("video");
  stats = { skips: 0, faults: 0 };
  #url;
  #tell;
  #look = null;
  #retry = null;
  #attempt = 0;
  #lastTime = -1;
  #movedAt = 0;
  #paused = false;

  constructor(url, tell) {
    this.#url = `${url}/hls/live.m3u8`;
    this.#tell = tell;
    this.screen.muted = true;
    this.screen.playsInline = true;
    this.screen.crossOrigin = "anonymous";
    this.screen.addEventListener("error", () => this.#lost());
  }

  start() {
    this.#look ??= setInterval(() => this.#watch(), LOOK_MS);
    this.#open();
  }

  stop() {
    clearInterval(this.#look);
    clearTimeout(this.#retry);
    this.#look = null;
    this.screen.removeAttribute("src");
    this.screen.load();
  }

  hurry() {
    if (this.#retry !== null) this.#open();
  }

  pause(paused) {
    this.#paused = paused;
    if (paused) this.screen.pause();
    else this.#open();
  }

  async sound(on, volume) {
    this.screen.volume = volume;
    this.screen.muted = !on;
  }

  rest() {
    if (!document.pictureInPictureElement && this.screen.muted) this.screen.pause();
  }

  wake() {
    if (!this.#paused && this.screen.paused) this.#open();
  }

  shownAt() {
    const begins = this.screen.getStartDate?.().getTime();
    if (begins) return begins + this.screen.currentTime * 1000;
    return this.#lastTime > 0 ? Date.now() - USUAL_MS : null;
  }

  /** Whether `shownAt` is only what is usual. */
  get vague() {
    return !this.screen.getStartDate?.().getTime();
  }

  async window() {
    return this.screen;
  }

  #open() {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#movedAt = Date.now();
    this.screen.src = this.#url;
    this.screen.play().catch(() => {});
  }

  #lost() {
    if (this.#look === null || this.#retry !== null) return;
    const wait = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.stats.faults += 1;
    this.#retry = setTimeout(() => this.#open(), wait);
    this.#tell.lost(this.#attempt);
  }

  #watch() {
    const video = this.screen;
    if (this.#paused || this.#retry !== null || (document.hidden && video.paused)) return;
    if (video.currentTime !== this.#lastTime && video.videoWidth) {
      this.#movedAt = Date.now();
      this.#attempt = 0;
      this.#tell.playing();
    }
    this.#lastTime = video.currentTime;
    if (Date.now() - this.#movedAt > STUCK_MS) this.#lost();
    const { seekable } = video;
    if (seekable.length && seekable.end(0) - video.currentTime > BEHIND_S_MAX && Number.isFinite(seekable.end(0))) {
      this.stats.skips += 1;
      video.currentTime = seekable.end(0) - EDGE_S;
    }
  }
}
