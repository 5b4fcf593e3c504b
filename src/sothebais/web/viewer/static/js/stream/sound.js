// The sound of the packets, decoded and laid end to end on the audio clock; the picture then goes by this clock.

const LEAD_S = 0.08;
const AHEAD_S_MAX = 0.4;
const QUEUE_MAX = 60;

export class Sound {
  #context = null;
  #gain = null;
  #decoder = null;
  #config = null;
  #base = null;
  #sources = new Set();
  #volume = 1;
  #on = false;

  /** What the stream's sound is; null where there is none. Its time begins anew. */
  configure(config) {
    this.#config = config;
    this.#close();
    if (this.#on) this.#open();
  }

  get on() {
    return this.#on;
  }

  /** Only after somebody asked for it: browsers keep silent otherwise. */
  async turn(on) {
    this.#on = on;
    if (!on) {
      this.#close();
      await this.#context?.suspend();
      return;
    }
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    if (!this.#gain) {
      this.#gain = this.#context.createGain();
      this.#gain.connect(this.#context.destination);
    }
    this.volume = this.#volume;
    await this.#context.resume();
    if (this.#on && !this.#decoder) this.#open();
  }

  set volume(value) {
    this.#volume = value;
    if (this.#gain) this.#gain.gain.value = value;
  }

  push(packet) {
    if (this.#decoder?.state !== "configured") return;
    if (this.#decoder.decodeQueueSize > QUEUE_MAX) return;
    this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: packet.pts, duration: packet.duration, data: packet.payload }));
  }

  /** What is heard now, in microseconds of the stream; null while nothing is. */
  heard() {
    if (!this.#base || this.#context?.state !== "running") return null;
    const now = this.#context.currentTime - (this.#context.outputLatency || 0);
    return this.#base.pts + (now - this.#base.time) * 1e6;
  }

  close() {
    this.#on = false;
    this.#close();
    this.#context?.close();
    this.#context = this.#gain = null;
  }

  #open() {
    if (!this.#config) return;
    this.#decoder = new AudioDecoder({ output: (data) => this.#lay(data), error: () => this.#again() });
    this.#decoder.configure(this.#config);
  }

  /** A broken packet ends a decoder; the next one needs nothing of it. */
  #again() {
    this.#close();
    if (this.#on) this.#open();
  }

  #close() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#silence();
  }

  #silence() {
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
    this.#base = null;
  }

  #lay(data) {
    const context = this.#context;
    if (!this.#on || !context) {
      data.close();
      return;
    }
    const buffer = context.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate);
    for (let channel = 0; channel < data.numberOfChannels; channel += 1) {
      data.copyTo(buffer.getChannelData(channel), { planeIndex: channel, format: "f32-planar" });
    }
    const pts = data.timestamp;
    data.close();
    const now = context.currentTime;
    let at = this.#base ? this.#base.time + (pts - this.#base.pts) / 1e6 : 0;
    if (!this.#base || at < now || at > now + AHEAD_S_MAX) {
      if (at > now) this.#silence();
      at = now + LEAD_S;
      this.#base = { time: at, pts };
    }
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(this.#gain);
    source.addEventListener("ended", () => this.#sources.delete(source));
    this.#sources.add(source);
    source.start(at);
  }
}
