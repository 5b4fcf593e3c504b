// The live picture: which way it comes, what state it is in, and what people do to it.

import { HouseClock } from "../clock.js";
import { Captions } from "./captions.js";
import { Controls } from "./controls.js";
import { FragmentsPicture } from "./fragments.js";
import { running, spares } from "./onair.js";
import { PacketsPicture } from "./packets.js";
import { SegmentsPicture } from "./segments.js";

/** Best first: 20 ms, 110 ms and some seconds behind. */
const WAYS = [
  ["packets", PacketsPicture],
  ["mp4", FragmentsPicture],
  ["hls", SegmentsPicture],
];
const LOOK_MS = 500;
/** No new frame for so long: the picture stands, and the page says so. */
const STILL_MS = 2_500;
/** An old frame is shown so long, then the page's own still comes back. */
const OLD_MS = 4_500;
/** A way that has never shown anything gets so many attempts, then the next one is tried. */
const ATTEMPTS = 3;
/** After a goodbye the house is asked whether the broadcast goes on. */
const BYE_MS = 700;
const KEPT = "sothebais_picture";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

/**
 * The player in `stage`, for the stream whose addresses begin with `url`.
 *
 * The stage's `data-picture` is `waiting`, `connecting`, `playing`, `still`, `paused`, `lost`, `ended` or `impossible`;
 * its `data-way` is `packets`, `mp4` or `hls`; its `data-position` is the log's position that the picture has reached.
 */
export class Player {
  #stage;
  #url;
  #clock = new HouseClock();
  #ways = WAYS.filter(([, Way]) => Way.possible());
  #way = 0;
  #picture = null;
  #state = "connecting";
  #movedAt = 0;
  #everMoved = false;
  #look = null;
  #controls;
  #captions;
  #wishes = { volume: 1, captions: false, ...kept(), sound: false };

  constructor(stage, url) {
    this.#stage = stage;
    this.#url = url;
    this.#captions = new Captions(this.#wishes.captions);
    this.#controls = new Controls(stage, this.#captions.place, {
      play: () => this.toggle(),
      sound: (on, volume) => this.#sound(on, volume),
      captions: () => this.#toggleCaptions(),
      window: () => this.#pictureInPicture(),
      screen: () => this.#fullScreen(),
      again: () => this.#again(),
    });
    this.#show();
    document.addEventListener("visibilitychange", this.#seen);
    addEventListener("online", this.#online);
    this.#look = setInterval(() => this.#watch(), LOOK_MS);
    stage.picture = this;
    if (spares()) this.#tell("waiting");
    else this.#begin();
  }

  /** For tests and for whoever looks after the picture: which way, what was decoded, skipped, and how far behind it is. */
  stats() {
    return { way: this.#ways[this.#way]?.[0] ?? null, state: this.#state, behind_ms: this.behind(), ...this.#picture?.stats };
  }

  /** How far the picture is behind the house, in milliseconds; null while nothing is shown. */
  behind() {
    const at = this.#picture?.shownAt() ?? null;
    return at === null ? null : Math.max(0, this.#clock.now() - at);
  }

  get state() {
    return this.#state;
  }

  /** Something is said on the stream. */
  hear(speech) {
    this.#captions.hear(speech);
  }

  time(server) {
    this.#clock.hear(server);
  }

  /** The house says that the broadcast is over. */
  end() {
    this.#picture?.stop();
    this.#picture?.screen.remove();
    this.#picture = null;
    this.#tell("ended");
  }

  /** Another broadcast, or the same one after it was over. */
  revive() {
    if (this.#state === "ended") this.#again();
  }

  close() {
    clearInterval(this.#look);
    document.removeEventListener("visibilitychange", this.#seen);
    removeEventListener("online", this.#online);
    this.#picture?.stop();
    this.#controls.remove();
    delete this.#stage.dataset.picture;
  }

  unmute() {
    this.#sound(true, this.#wishes.volume || 1);
  }

  toggle() {
    if (["waiting", "ended", "impossible"].includes(this.#state)) {
      this.#again();
      return;
    }
    const paused = this.#state !== "paused";
    this.#picture?.pause(paused);
    this.#movedAt = Date.now();
    this.#tell(paused ? "paused" : "connecting");
  }

  #begin() {
    const found = this.#ways[this.#way];
    if (!found) {
      this.#tell("impossible");
      return;
    }
    const [name, Way] = found;
    this.#stage.dataset.way = name;
    this.#movedAt = Date.now();
    const picture = new Way(this.#url, {
      playing: () => this.#picture === picture && this.#moved(),
      unsuitable: () => this.#picture === picture && this.#next(),
      lost: (attempts) => this.#picture === picture && this.#lost(attempts),
      bye: () => this.#picture === picture && this.#bye(),
      server: (ms) => this.#clock.hear(ms),
      position: (text) => {
        this.#stage.dataset.position = text;
      },
    });
    this.#picture = picture;
    this.#controls.put(picture.screen);
    if (this.#wishes.sound) picture.sound(true, this.#wishes.volume).catch(() => {});
    this.#tell("connecting");
    picture.start();
    if (document.hidden) picture.rest();
  }

  #again() {
    this.#picture?.stop();
    this.#everMoved = false;
    this.#begin();
  }

  /** This way cannot be gone here; the next one. After the last of several comes the first again. */
  #next({ round = false } = {}) {
    this.#picture?.stop();
    this.#picture?.screen.remove();
    this.#picture = null;
    if (!round) this.#ways.splice(this.#way, 1);
    else this.#way += 1;
    if (this.#way >= this.#ways.length) this.#way = 0;
    this.#begin();
  }

  #moved() {
    this.#movedAt = Date.now();
    this.#everMoved = true;
    if (this.#state !== "playing" && this.#state !== "paused") this.#tell("playing");
  }

  #lost(attempts) {
    if (this.#state === "paused") return;
    if (!this.#everMoved && attempts >= ATTEMPTS && this.#ways.length > 1) this.#next({ round: true });
    if (attempts >= 2 || this.#state !== "playing") this.#tell(Date.now() - this.#movedAt > OLD_MS ? "lost" : "still");
  }

  /** The server ends the line: because the broadcast is over, or because it is itself replaced. */
  #bye() {
    this.#picture?.stop();
    this.#tell("still");
    setTimeout(async () => {
      if (this.#state !== "still") return;
      if ((await running()) === false) this.end();
      else this.#again();
    }, BYE_MS);
  }

  #watch() {
    const since = Date.now() - this.#movedAt;
    const rests = document.hidden && !document.pictureInPictureElement;
    if (!rests && this.#state === "playing" && since > STILL_MS) this.#tell("still");
    else if (!rests && ["connecting", "still"].includes(this.#state) && since > OLD_MS) this.#tell("lost");
    const behind = this.behind();
    this.#controls.behind(behind, this.#picture?.vague === true);
    this.#captions.draw(this.#clock.now() - (behind ?? 0));
  }

  #seen = () => {
    this.#movedAt = Date.now();
    if (document.hidden) this.#picture?.rest();
    else this.#picture?.wake();
  };

  #online = () => this.#picture?.hurry();

  #tell(state) {
    this.#state = state;
    this.#stage.dataset.picture = state;
    this.#controls.state(state);
  }

  #sound(on, volume) {
    Object.assign(this.#wishes, { sound: on, volume });
    this.#keep();
    this.#show();
    this.#picture?.sound(on, volume).catch(() => {
      this.#wishes.sound = false;
      this.#show();
    });
  }

  #show() {
    this.#stage.dataset.sound = this.#wishes.sound ? "on" : "off";
    this.#controls.show(this.#wishes);
  }

  #toggleCaptions() {
    this.#wishes.captions = this.#captions.turn(!this.#wishes.captions);
    this.#keep();
    this.#show();
  }

  #keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify({ volume: this.#wishes.volume, captions: this.#wishes.captions }));
    } catch {
      // a browser that keeps nothing keeps nothing
    }
  }

  async #pictureInPicture() {
    if (document.pictureInPictureElement) {
      await document.exitPictureInPicture();
      return;
    }
    const video = await this.#picture?.window();
    await video?.requestPictureInPicture();
  }

  async #fullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.#stage.requestFullscreen) await this.#stage.requestFullscreen();
    else this.#picture?.screen.webkitEnterFullscreen?.();
  }
}
