// The stage: a video or nothing, skeletons over it, play and scrub.

import { drawFrame, regionOf } from "./draw.js";
import { moveCursors } from "./ribbon.js";

const $ = (selector) => document.querySelector(selector);

export class Player {
  constructor() {
    Object.assign(this, {
      clip: null,
      region: null,
      hasVideo: false,
      seconds: 0,
      isPlaying: false,
      ribbons: $("#ribbons"),
    });
    $("#play").addEventListener("click", () => (this.isPlaying ? this.pause() : this.play()));
    $("#time").addEventListener("input", (event) => this.seek(Number(event.target.value)));
    $("#canvas").addEventListener("click", () => (this.isPlaying ? this.pause() : this.play()));
  }

  /** Shows a clip, over the video element's picture if there is one. */
  show(clip, hasVideo) {
    this.pause();
    Object.assign(this, { clip, hasVideo, region: regionOf(clip) });
    $("#stage").classList.toggle("bare", !hasVideo);
    const longest = 960 / Math.max(this.region.width, this.region.height);
    const canvas = $("#canvas");
    canvas.width = Math.max(Math.round(this.region.width * longest), 2);
    canvas.height = Math.max(Math.round(this.region.height * longest), 2);
    $("#time").max = clip.duration;
    this.seek(this.firstSeen());
  }

  /** Seconds of the first frame that shows somebody. */
  firstSeen() {
    for (let frame = 0; frame < this.clip.frames; frame++) {
      for (let row = 0; row < this.clip.people; row++) if (this.clip.isSeen(row, frame)) return frame / this.clip.fps;
    }
    return 0;
  }

  seek(seconds) {
    this.seconds = Math.min(Math.max(seconds, 0), this.clip.duration);
    if (this.hasVideo && Math.abs($("#video").currentTime - this.seconds) > 0.01)
      $("#video").currentTime = this.seconds;
    this.started = performance.now() - 1000 * this.seconds;
    this.draw();
  }

  play() {
    if (!this.clip) return;
    if (this.seconds >= this.clip.duration - 0.05) this.seek(0);
    this.isPlaying = true;
    this.started = performance.now() - 1000 * this.seconds;
    if (this.hasVideo)
      $("#video")
        .play()
        .catch(() => {});
    $("#play").textContent = "Pause";
    $("#play").setAttribute("aria-label", "Pause");
    requestAnimationFrame(() => this.tick());
  }

  pause() {
    this.isPlaying = false;
    if (this.hasVideo) $("#video").pause();
    $("#play").textContent = "Play";
    $("#play").setAttribute("aria-label", "Play");
  }

  tick() {
    if (!this.isPlaying) return;
    this.seconds = this.hasVideo ? $("#video").currentTime : (performance.now() - this.started) / 1000;
    if (this.seconds >= this.clip.duration) {
      this.seconds = this.clip.duration;
      this.pause();
    }
    this.draw();
    requestAnimationFrame(() => this.tick());
  }

  draw() {
    const { clip, seconds } = this;
    drawFrame($("#canvas"), clip, Math.min(Math.floor(seconds * clip.fps), clip.frames - 1), this.region);
    $("#time").value = seconds;
    $("#time").setAttribute("aria-valuetext", `${seconds.toFixed(1)} of ${clip.duration.toFixed(1)} seconds`);
    $("#clock").textContent = `${seconds.toFixed(1)} / ${clip.duration.toFixed(1)} s`;
    moveCursors(this.ribbons, seconds / clip.duration);
  }
}
