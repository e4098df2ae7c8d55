"use strict";
// Players of videos: two views of the same frame, wiped or side by side, zoomed together.
// What a player shows lies beside it in the page, as JSON; no frame is drawn until both of its pictures are there.
(() => {
  const CLOSEST = 32; // largest zoom
  const NARROW = 600; // CSS pixels below which pictures stand below each other
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // Pictures of one clip, decoded when they are first asked for.
  class Pictures {
    constructor(clip) {
      this.clip = clip;
      this.views = new Map(clip.views.map((view) => [view.key, view]));
      this.loading = new Map();
      this.scratch = document.createElement("canvas");
      this.scratch.width = clip.width;
      this.scratch.height = clip.height;
    }

    load(format, data) {
      const image = new Image();
      image.src = `data:${format};base64,${data}`;
      return image.decode().then(() => image);
    }

    once(key, make) {
      if (!this.loading.has(key)) this.loading.set(key, make());
      return this.loading.get(key);
    }

    // A promise of what can be drawn: an image, or a canvas of an image inside a mask over another.
    get(key, frame) {
      const view = this.views.get(key);
      return this.once(`${key} ${frame}`, () => {
        if (!view.under) return this.load(PICTURE_FORMAT, view.images[frame]);
        const mask = this.once(`mask ${frame}`, () => this.load("image/png", this.clip.masks[frame]));
        const patch = view.paint ? null : this.load(PICTURE_FORMAT, view.images[frame]);
        return Promise.all([this.get(view.under, frame), mask, patch]).then((parts) => this.composed(view, ...parts));
      });
    }

    composed(view, under, mask, patch) {
      const { width, height } = this.clip;
      const inside = this.scratch.getContext("2d");
      inside.globalCompositeOperation = "copy";
      inside.drawImage(mask, 0, 0);
      inside.globalCompositeOperation = "source-in";
      if (patch) inside.drawImage(patch, 0, 0);
      else {
        inside.fillStyle = view.paint;
        inside.fillRect(0, 0, width, height);
      }
      const whole = document.createElement("canvas");
      whole.width = width;
      whole.height = height;
      const context = whole.getContext("2d");
      context.drawImage(under, 0, 0);
      context.drawImage(this.scratch, 0, 0);
      return whole;
    }
  }

  class Player {
    constructor(root) {
      this.root = root;
      this.clip = JSON.parse(document.getElementById(`${root.id}-data`).textContent);
      root.append(document.getElementById("player").content.cloneNode(true));
      const find = (name) => root.querySelector(name);
      this.stage = find(".stage");
      this.canvas = find("canvas");
      this.wipe = find(".wipe");
      this.slider = find(".frame");
      this.playing = find(".play");
      this.choices = [...root.querySelectorAll(".choice")];
      this.scores = [...root.querySelectorAll(".score")];
      this.pictures = new Pictures(this.clip);
      this.sides = [this.clip.left, this.clip.right];
      this.frame = 0;
      this.shown = null; // what is drawn: the frame's number and both pictures
      this.share = 0.5; // of the picture that is the left side's
      this.zoom = 1;
      this.centre = [this.clip.width / 2, this.clip.height / 2]; // pixels of the frame
      this.isBeside = false;
      this.pointers = new Map();
      this.slider.max = this.clip.count - 1;
      this.fill();
      this.listen();
      this.resize();
      this.show();
    }

    fill() {
      this.choices.forEach((choice, side) => {
        for (const view of this.clip.views) choice.add(new Option(view.label, view.key));
        choice.value = this.sides[side];
        choice.addEventListener("change", () => {
          this.sides[side] = choice.value;
          this.show();
          this.ahead();
        });
      });
    }

    listen() {
      const on = (name, act) => this.root.querySelector(name).addEventListener("click", act);
      on(".back", () => this.step(-1));
      on(".forward", () => this.step(1));
      on(".play", () => this.toggle());
      on(".in", () => this.scale(1.5));
      on(".out", () => this.scale(1 / 1.5));
      on(".fit", () => this.scale(0));
      on(".beside", () => this.beside());
      this.slider.addEventListener("input", () => {
        this.pause();
        this.go(Number(this.slider.value));
      });
      this.root.addEventListener("keydown", (event) => this.key(event));
      this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      for (const [part, isHandle] of [[this.canvas, false], [this.wipe, true]]) {
        part.addEventListener("pointerdown", (event) => this.down(event, part, isHandle));
        part.addEventListener("pointermove", (event) => this.move(event));
        for (const end of ["pointerup", "pointercancel"]) {
          part.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
        }
      }
      // In the next frame: in this one, the observer would see what it has caused.
      new ResizeObserver(() => requestAnimationFrame(() => this.resize())).observe(this.root);
    }

    // Frames

    go(frame) {
      this.frame = clamp(frame, 0, this.clip.count - 1);
      return this.show();
    }

    step(by) {
      this.pause();
      this.go(this.frame + by);
    }

    async show() {
      const frame = this.frame;
      const sides = [...this.sides];
      try {
        const pictures = await Promise.all(sides.map((key) => this.pictures.get(key, frame)));
        if (frame !== this.frame || sides.join() !== this.sides.join()) return; // something else was asked for since
        this.shown = { frame, sides, pictures };
        this.tell();
        this.draw();
      } catch {
        this.complain("This browser cannot show AVIF pictures.");
      }
    }

    // What is not shown yet, in the order in which it will be.
    async ahead() {
      const sides = [...this.sides];
      for (let i = 0; i < this.clip.count; i++) {
        if (sides.join() !== this.sides.join()) return;
        await Promise.allSettled(sides.map((key) => this.pictures.get(key, (this.frame + i) % this.clip.count)));
      }
    }

    toggle() {
      if (this.timer) return this.pause();
      if (this.frame === this.clip.count - 1) this.frame = 0;
      this.playing.textContent = "Pause";
      let due = performance.now();
      const tick = async (now) => {
        if (!this.timer) return;
        if (now >= due) {
          const isLast = this.frame === this.clip.count - 1;
          if (isLast && calm.matches) return this.pause(); // once, and not on and on
          await this.go(isLast ? 0 : this.frame + 1);
          due = Math.max(due + 1000 / this.clip.fps, now);
        }
        if (this.timer) this.timer = requestAnimationFrame(tick);
      };
      this.timer = requestAnimationFrame(tick);
      this.ahead();
    }

    pause() {
      cancelAnimationFrame(this.timer);
      this.timer = 0;
      this.playing.textContent = "Play";
    }

    tell() {
      const { frame, sides } = this.shown;
      const views = sides.map((key) => this.pictures.views.get(key));
      views.forEach((view, side) => (this.scores[side].textContent = view.figures[frame] || "\u00a0"));
      const number = `frame ${this.clip.first + frame} of ${this.clip.total}`;
      this.root.querySelector(".number").textContent = number;
      this.slider.value = frame;
      this.slider.setAttribute("aria-valuetext", number);
      const words = views.map((view) => `${view.label} ${view.figures[frame]}`.trim());
      this.canvas.setAttribute("aria-label", `${this.clip.name}, ${number}: left ${words[0]}, right ${words[1]}`);
      this.canvas.dataset.frame = frame;
      this.note(views.filter((view, place) => view.note && views.indexOf(view) === place));
    }

    note(views) {
      const notes = this.root.querySelector(".notes");
      const key = views.map((view) => view.key).join();
      if (notes.dataset.of === key) return;
      notes.dataset.of = key;
      notes.replaceChildren(...views.map((view) => {
        const line = document.createElement("p");
        if (view.wheel) {
          const wheel = document.getElementById("wheel").cloneNode();
          wheel.removeAttribute("id");
          wheel.hidden = false;
          line.append(wheel);
        }
        const words = document.createElement("span");
        words.textContent = `${view.label}: ${view.note}`;
        line.append(words);
        return line;
      }));
    }

    complain(words) {
      const message = this.root.querySelector(".message");
      message.textContent = words;
      message.hidden = false;
      this.pause();
    }

    // Where things are drawn, in CSS pixels

    resize() {
      const { width, height } = this.clip;
      const room = this.root.clientWidth;
      const isTwo = this.isBeside;
      this.isStacked = isTwo && room < NARROW;
      const across = isTwo && !this.isStacked ? 2 : 1;
      const down = this.isStacked ? 2 : 1;
      const ratio = (width * across) / (height * down);
      const wide = Math.round(clamp(innerHeight * 0.72 * ratio, Math.min(room, 280), room));
      this.root.style.setProperty("--wide", `${wide}px`);
      this.size = [wide, Math.round(wide / ratio)];
      const dots = devicePixelRatio || 1;
      this.canvas.width = Math.round(wide * dots);
      this.canvas.height = Math.round(this.size[1] * dots);
      this.canvas.style.height = `${this.size[1]}px`;
      this.draw();
    }

    panes() {
      const [wide, high] = this.size;
      if (!this.isBeside) return [[0, 0, wide, high], [0, 0, wide, high]];
      return this.isStacked
        ? [[0, 0, wide, high / 2 - 1], [0, high / 2 + 1, wide, high / 2 - 1]]
        : [[0, 0, wide / 2 - 1, high], [wide / 2 + 1, 0, wide / 2 - 1, high]];
    }

    // CSS pixels for one of the frame's
    get ratio() {
      return (this.panes()[0][2] / this.clip.width) * this.zoom;
    }

    draw() {
      const { width, height } = this.clip;
      this.centre = [
        clamp(this.centre[0], width / 2 / this.zoom, width - width / 2 / this.zoom),
        clamp(this.centre[1], height / 2 / this.zoom, height - height / 2 / this.zoom),
      ];
      const percent = Math.round(100 * this.share);
      this.wipe.hidden = this.isBeside;
      this.wipe.style.left = `${100 * this.share}%`;
      this.wipe.setAttribute("aria-valuenow", percent);
      this.wipe.setAttribute("aria-valuetext", `${percent} % left`);
      this.stage.classList.toggle("zoomed", this.zoom > 1);
      this.root.querySelector(".scale").textContent = `${this.zoom.toFixed(1)}×`;
      if (!this.shown) return;
      const context = this.canvas.getContext("2d");
      const dots = this.canvas.width / this.size[0];
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      context.imageSmoothingEnabled = false; // pixels are what is looked at
      this.panes().forEach((pane, side) => this.drawPane(context, pane, side, dots));
    }

    drawPane(context, [left, top, wide, high], side, dots) {
      const cut = this.size[0] * this.share;
      const [from, past] = this.isBeside ? [left, left + wide] : side === 0 ? [0, cut] : [cut, this.size[0]];
      context.save();
      context.beginPath();
      context.rect(Math.round(from * dots), top * dots, Math.round(past * dots) - Math.round(from * dots), high * dots);
      context.clip();
      const scale = this.ratio * dots;
      const x = (left + wide / 2) * dots - this.centre[0] * scale;
      const y = (top + high / 2) * dots - this.centre[1] * scale;
      context.drawImage(this.shown.pictures[side], x, y, this.clip.width * scale, this.clip.height * scale);
      context.restore();
    }

    // Zoom, wipe, pan

    // By a factor around a point of the canvas in CSS pixels; 0: back to the whole frame.
    scale(factor, at) {
      const before = this.ratio;
      this.zoom = factor ? clamp(this.zoom * factor, 1, CLOSEST) : 1;
      if (at) {
        const [left, top, wide, high] = this.paneAt(at);
        const away = [at[0] - left - wide / 2, at[1] - top - high / 2];
        this.centre = this.centre.map((place, axis) => place + away[axis] / before - away[axis] / this.ratio);
      }
      this.draw();
    }

    paneAt([x, y]) {
      const panes = this.panes();
      return panes.find(([left, top, wide, high]) => x < left + wide && y < top + high) || panes[0];
    }

    setShare(share) {
      this.share = clamp(share, 0, 1);
      this.draw();
    }

    pan(dx, dy) {
      this.centre = [this.centre[0] - dx / this.ratio, this.centre[1] - dy / this.ratio];
      this.draw();
    }

    beside() {
      this.isBeside = !this.isBeside;
      this.root.querySelector(".beside").setAttribute("aria-pressed", this.isBeside);
      this.resize();
    }

    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    wheel(event) {
      // A page that is scrolled past must not stop here.
      if (!event.ctrlKey && !this.stage.contains(document.activeElement)) return;
      event.preventDefault();
      this.scale(Math.exp(-clamp(event.deltaY, -100, 100) / 250), this.place(event));
    }

    down(event, part, isHandle) {
      if (event.button > 0) return;
      this.root.classList.add("pointed");
      part.focus({ preventScroll: true });
      part.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, this.place(event));
      this.isWiping = isHandle || (this.zoom === 1 && !this.isBeside);
      if (this.isWiping && this.pointers.size === 1 && event.pointerType === "mouse") this.follow(this.place(event));
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = this.place(event);
      const other = [...this.pointers].find(([id]) => id !== event.pointerId);
      this.pointers.set(event.pointerId, now);
      if (other) this.pinch(before, now, other[1]);
      else if (this.isWiping) this.follow(now);
      else this.pan(now[0] - before[0], now[1] - before[1]);
    }

    follow([x]) {
      this.setShare(x / this.size[0]);
    }

    pinch(before, now, other) {
      const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      this.scale(far(now, other) / far(before, other), middle);
      this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    }

    key(event) {
      this.root.classList.remove("pointed");
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const act = this.action(event.key, event.target, event.shiftKey ? 5 : 1);
      if (!act) return;
      event.preventDefault();
      act();
    }

    action(key, target, times) {
      const isControl = target.matches("button, select, input, summary");
      const anywhere = {
        "+": () => this.scale(1.5),
        "=": () => this.scale(1.5),
        "-": () => this.scale(1 / 1.5),
        0: () => this.scale(0),
        ",": () => this.step(-1),
        ".": () => this.step(1),
      };
      if (key === " " && !isControl) return () => this.toggle();
      if (!target.matches("select") && anywhere[key]) return anywhere[key];
      if (target !== this.wipe && target !== this.canvas) return null;
      const far = 24 * times;
      if (target === this.canvas && this.zoom > 1) {
        return {
          ArrowLeft: () => this.pan(far, 0),
          ArrowRight: () => this.pan(-far, 0),
          ArrowUp: () => this.pan(0, far),
          ArrowDown: () => this.pan(0, -far),
        }[key];
      }
      return {
        ArrowLeft: () => this.setShare(this.share - 0.02 * times),
        ArrowRight: () => this.setShare(this.share + 0.02 * times),
        Home: () => this.setShare(0),
        End: () => this.setShare(1),
      }[key];
    }
  }

  // A player is made when it comes near: a page may hold many.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      new Player(entry.target);
    }
  }, { rootMargin: "600px" });
  for (const root of document.querySelectorAll(".player")) near.observe(root);
})();
