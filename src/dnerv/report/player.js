"use strict";
// Players: two views of the same frames of a video, with a wipe between them.
// What a player shows lies beside it in the page, as JSON; no frame is drawn until both of its pictures are there.
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  class Player {
    constructor(root) {
      this.root = root;
      this.clip = JSON.parse(document.getElementById(`${root.id}-data`).textContent);
      root.append(document.getElementById("player").content.cloneNode(true));
      this.find = (name) => root.querySelector(name);
      this.all = (name) => [...root.querySelectorAll(name)];
      this.wipe = this.find(".wipe");
      this.slider = this.find(".frame");
      this.sides = [this.clip.left, this.clip.right]; // places of views
      this.frame = 0;
      this.loading = new Map();
      this.fill();
      this.listen();
      this.setShare(0.5);
      this.show();
    }

    fill() {
      const { width, height, views } = this.clip;
      this.root.style.setProperty("--ratio", width / height);
      Object.assign(this.slider, { max: this.clip.count - 1, value: 0 });
      for (const canvas of this.all("canvas")) Object.assign(canvas, { width, height });
      this.all(".choice").forEach((choice, side) => {
        views.forEach((view, place) => choice.add(new Option(view.label, place)));
        choice.value = this.sides[side];
        choice.addEventListener("change", () => {
          this.sides[side] = Number(choice.value);
          this.show();
        });
      });
    }

    listen() {
      const on = (name, act) => this.find(name).addEventListener("click", act);
      on(".back", () => this.step(-1));
      on(".forward", () => this.step(1));
      on(".play", () => this.toggle());
      this.slider.addEventListener("input", () => this.step(Number(this.slider.value) - this.frame));
      this.root.addEventListener("keydown", (event) => this.key(event));
      const stage = this.find(".stage");
      const follow = (event) => {
        const box = stage.getBoundingClientRect();
        this.setShare((event.clientX - box.left) / box.width);
      };
      stage.addEventListener("pointerdown", (event) => {
        if (event.button > 0) return;
        event.preventDefault();
        this.wipe.focus({ preventScroll: true });
        stage.setPointerCapture(event.pointerId);
        follow(event);
      });
      stage.addEventListener("pointermove", (event) => {
        if (stage.hasPointerCapture(event.pointerId)) follow(event);
      });
    }

    // A promise of a view's picture, decoded when it is first asked for.
    picture(view, frame) {
      const key = `${view} ${frame}`;
      if (!this.loading.has(key)) {
        const image = new Image();
        image.src = `data:${PICTURE_FORMAT};base64,${this.clip.views[view].images[frame]}`;
        this.loading.set(key, image.decode().then(() => image));
      }
      return this.loading.get(key);
    }

    async show() {
      const { frame } = this;
      const sides = [...this.sides];
      try {
        // The first view, the original, shows where a picture is transparent.
        const pictures = await Promise.all([0, ...sides].map((view) => this.picture(view, frame)));
        if (frame !== this.frame || sides.join() !== this.sides.join()) return; // something else was asked for since
        this.all("canvas").forEach((canvas, side) => {
          const context = canvas.getContext("2d");
          context.drawImage(pictures[0], 0, 0);
          context.drawImage(pictures[1 + side], 0, 0);
        });
        this.tell(frame, sides);
      } catch {
        this.find(".message").textContent = "This browser cannot show AVIF pictures.";
        this.find(".message").hidden = false;
        this.pause();
      }
    }

    tell(frame, sides) {
      const views = sides.map((place) => this.clip.views[place]);
      const number = `frame ${this.clip.first + frame} of ${this.clip.total}`;
      this.find(".number").textContent = number;
      this.slider.value = frame;
      this.slider.setAttribute("aria-valuetext", number);
      this.all(".score").forEach((score, side) => (score.textContent = views[side].figures[frame] || "\u00a0"));
      const notes = new Set(views.filter((view) => view.note).map((view) => `${view.label}: ${view.note}`));
      const words = [...notes].join("\n");
      if (this.find(".notes").textContent !== words) this.find(".notes").textContent = words;
      this.root.dataset.frame = frame;
    }

    step(by) {
      this.pause();
      this.frame = clamp(this.frame + by, 0, this.clip.count - 1);
      this.show();
    }

    toggle() {
      if (this.timer) return this.pause();
      this.find(".play").textContent = "Pause";
      let due = performance.now();
      const tick = async (now) => {
        if (now >= due) {
          const isLast = this.frame === this.clip.count - 1;
          if (isLast && calm.matches) return this.pause(); // once, and not on and on
          this.frame = isLast ? 0 : this.frame + 1;
          await this.show();
          due = Math.max(due + 1000 / this.clip.fps, now);
        }
        if (this.timer) this.timer = requestAnimationFrame(tick);
      };
      this.timer = requestAnimationFrame(tick);
    }

    pause() {
      cancelAnimationFrame(this.timer);
      this.timer = 0;
      this.find(".play").textContent = "Play";
    }

    setShare(share) {
      this.share = clamp(share, 0, 1);
      const percent = Math.round(100 * this.share);
      this.root.style.setProperty("--share", `${100 * this.share}%`);
      this.wipe.setAttribute("aria-valuenow", percent);
      this.wipe.setAttribute("aria-valuetext", `${percent} % left`);
    }

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select")) return;
      const far = event.shiftKey ? 0.1 : 0.02;
      const wiping = {
        ArrowLeft: () => this.setShare(this.share - far),
        ArrowRight: () => this.setShare(this.share + far),
        Home: () => this.setShare(0),
        End: () => this.setShare(1),
      };
      const anywhere = { ",": () => this.step(-1), ".": () => this.step(1) };
      if (!event.target.matches("button")) anywhere[" "] = () => this.toggle();
      const act = anywhere[event.key] || (event.target === this.wipe && wiping[event.key]);
      if (!act) return;
      event.preventDefault();
      act();
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
