// The search page: one ES module for notebooks (anywidget) and for the app (plain HTTP). It loads nothing from outside.
//
// `mount` draws a page into an element and asks a `server` for everything: an object with
//     ask(request, buffers) -> {content, buffers}      what `Service.answer` gives
//     url(request)          -> address of the one file that a request answers with
//     thumb(tile)           -> address of a tile's small picture
// Every text from a library is set as text, never as HTML.

// ---------------------------------------------------------------------------------------------------- small helpers

const ICONS = {
  search: "M15.5 14h-.8l-.3-.3A6.5 6.5 0 1 0 14 14.3l.3.3v.8l5 5 1.5-1.5zM9.5 14a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9z",
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  up: "M1 21h4V9H1zM23 10a2 2 0 0 0-2-2h-6.3l1-4.6v-.3c0-.4-.2-.8-.4-1L14 1 7.6 7.6A2 2 0 0 0 7 9v10c0 1.1.9 2 2 2h9a2 2 0 0 0 1.8-1.2l3-7.1c.1-.2.2-.5.2-.7z",
  down: "M15 3H6a2 2 0 0 0-1.8 1.2l-3 7.1c-.1.2-.2.5-.2.7v2c0 1.1.9 2 2 2h6.3l-1 4.6v.3c0 .4.2.8.4 1L10 23l6.6-6.6c.3-.4.4-.9.4-1.4V5a2 2 0 0 0-2-2zm4 0v12h4V3z",
  similar: "M3 3h8v8H3zm10 0h8v8h-8zM3 13h8v8H3zm13 0v3h-3v2h3v3h2v-3h3v-2h-3v-3z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
  left: "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12z",
  right: "M8.6 16.6 10 18l6-6-6-6-1.4 1.4 4.6 4.6z",
  copy: "M16 1H4a2 2 0 0 0-2 2v14h2V3h12zm3 4H8a2 2 0 0 0-2 2v14c0 1.1.9 2 2 2h11a2 2 0 0 0 2-2V7a2 2 0 0 0-2-2zm0 16H8V7h11z",
  download: "M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z",
  drive: "M14 3v2h3.6l-9.8 9.8 1.4 1.4L19 6.4V10h2V3zM19 19H5V5h7V3H5a2 2 0 0 0-2 2v14c0 1.1.9 2 2 2h14a2 2 0 0 0 2-2v-7h-2z",
  clip: "M9.6 7.6c.3-.5.4-1 .4-1.6a4 4 0 1 0-4 4c.6 0 1.1-.1 1.6-.4L10 12l-2.4 2.4c-.5-.3-1-.4-1.6-.4a4 4 0 1 0 4 4c0-.6-.1-1.1-.4-1.6L12 14l7 7h3v-1zM6 8a2 2 0 1 1 0-4 2 2 0 0 1 0 4zm0 12a2 2 0 1 1 0-4 2 2 0 0 1 0 4zM19 3l-6 6 2 2 7-7V3z",
  filter: "M10 18h4v-2h-4zM3 6v2h18V6zm3 7h12v-2H6z",
  picture: "M21 19V5a2 2 0 0 0-2-2H5a2 2 0 0 0-2 2v14c0 1.1.9 2 2 2h14a2 2 0 0 0 2-2zM8.5 13.5l2.5 3 3.5-4.5 4.5 6H5z",
  plus: "M19 13h-6v6h-2v-6H5v-2h6V5h2v6h6z",
  minus: "M19 13H5v-2h14z",
  back: "M20 11H7.8l5.6-5.6L12 4l-8 8 8 8 1.4-1.4L7.8 13H20z",
  again: "M13 3a9 9 0 0 0-9 9H1l4 4 4-4H6a7 7 0 1 1 2 5l-1.400 1.400A9 9 0 1 0 13 3zm-1 5v5l4.300 2.500.7-1.200-3.500-2.100V8z",
  phone: "M17 1H7a2 2 0 0 0-2 2v18a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V3a2 2 0 0 0-2-2zm0 18H7V5h10z",
  stack: "M12 2 1 8l11 6 11-6zM3.3 12 1 13.3l11 6 11-6L20.700 12 12 16.700z",
};
const TABS = { all: "All", image: "Photos", frame: "Videos" };
const rowKindOf = (tile) => (tile.time_s === null || tile.time_s === undefined ? "image" : "frame");
const PAGE = 48;
const AT_FIRST = 24; // tiles that a notebook's page shows at first
const ONE_SCENE = 0.985; // the cosine from which photos are of one scene, and one tile unless told otherwise
const SILENCE_MS = 20000; // a kernel that says nothing for so long has stopped, or is busy with another cell

const SVG = "http://www.w3.org/2000/svg";

/** Terms as the service takes them. */
const plainTerms = (terms) => terms.map(({ kind, value, weight, time_s }) => ({ kind, value, weight, time_s }));

/** An element: `h("button", {class: "x", onclick: f, "aria-label": "y"}, "text", child, ...)`; false children are none. */
function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Put these children, of which false ones are none, in the place of all that an element has. */
const fill = (element, ...children) => element.replaceChildren(...children.flat().filter((child) => child || child === 0));

const icon = (name) => svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: "i" }, svg("path", { d: ICONS[name] }));

/** A button with an icon; without words to show, `label` names it for screen readers and as a tooltip. */
const button = (name, label, onclick, props = {}, words = "") =>
  h("button", { type: "button", title: words ? false : label, "aria-label": words ? false : label, onclick, ...props },
    name && icon(name), words && h("span", {}, words));

const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const clock = (s) => {
  const whole = Math.floor(s), [hours, minutes, rest] = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
  return (hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`) + `:${String(rest).padStart(2, "0")}`;
};
const bytesOf = (n) => (n < 1e6 ? `${Math.ceil(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const joined = (parts) => parts.filter(Boolean).join(" and ");
const keyOf = (tile) => `${tile.path}\n${tile.time_s ?? ""}`;
const dayOf = (tile) => {
  if (!tile.taken_at || tile.taken_from === "mtime") return ""; // the time of a copy says nothing about the picture
  const day = new Date(`${tile.taken_at.slice(0, 10)}T12:00:00`);
  return Number.isNaN(day.getTime()) ? "" : day.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
};
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const lastDay = (month) => `${month}-${new Date(Number(month.slice(0, 4)), Number(month.slice(5)), 0).getDate()}`;
/** Days in few words: "Mar 2024", "2023", "Mar 2023 to May 2024", or the days themselves. */
const spanOf = (since, until) => {
  if (!since || !until) return since ? `since ${since}` : `until ${until}`;
  const whole = since.endsWith("-01") && until === lastDay(until.slice(0, 7));
  if (!whole) return `${since} to ${until}`;
  const name = (day) => `${MONTHS[Number(day.slice(5, 7)) - 1]} ${day.slice(0, 4)}`, [from, to] = [name(since), name(until)];
  if (since.slice(0, 4) === until.slice(0, 4) && since.slice(5, 7) === "01" && until.slice(5, 7) === "12") return since.slice(0, 4);
  return from === to ? from : `${from} to ${to}`;
};
const later = (wait_ms, run) => {
  let timer;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => run(...args), wait_ms); };
};

// ---------------------------------------------------------------------------------------------------------- servers

/** The app: a request is a POST, and files have addresses of their own, which the browser keeps. */
export function httpServer(base) {
  const url = ({ do: what, ...request }) => `${base}${what}?${new URLSearchParams({ q: JSON.stringify(request) })}`;
  return {
    async ask(request, buffers = []) {
      const upload = buffers.length > 0;
      const reply = await fetch(upload ? url(request) : `${base}ask`, {
        method: "POST",
        headers: { "Content-Type": upload ? "application/octet-stream" : "application/json" },
        body: upload ? buffers[0] : JSON.stringify(request),
      }).catch(() => { throw new Error("The app does not answer. Is it still running? Start it again and reload the page."); });
      const content = await reply.json();
      if (content.error) throw new Error(content.error);
      return { content, buffers: [] };
    },
    url: async (request) => url(request),
    async invite() {
      const reply = await fetch(`${base}invite`, { method: "POST" });
      if (!reply.ok) throw new Error("The app gives no invitation here: ask at the computer that serves it.");
      return reply.json();
    },
    thumb: async (tile) => `${base}thumb?${new URLSearchParams({ digest: tile.digest, ...(tile.time_s !== null && { time_s: tile.time_s }) })}`,
    close() {},
  };
}

/** A notebook: messages to the kernel, numbered, with the pictures as their buffers. */
export function kernelServer(model) {
  const waiting = new Map(), thumbs = new Map(), made = [];
  let number = 0, wanted = [], asking = null;
  const page = Math.random().toString(36).slice(2); // of several views of one widget, each hears its own answers
  const heard = (message, buffers) => {
    if (message.page !== page || !waiting.has(message.number)) return;
    const { done, failed, timer } = waiting.get(message.number);
    waiting.delete(message.number);
    clearTimeout(timer);
    if (message.content.error) failed(new Error(message.content.error));
    else done({ content: message.content, buffers: buffers ?? [] });
  };
  model.on("msg:custom", heard);
  const ask = (request, buffers = []) => new Promise((done, failed) => {
    const mine = ++number;
    const timer = setTimeout(() => failed(new Error(
      "The kernel does not answer: it is busy with another cell, or has stopped (on Colab after some idle time). Wait, or run the cells again from the top.",
    )), SILENCE_MS);
    waiting.set(mine, { done: (reply) => done(reply), failed, timer });
    model.send({ page, number: mine, request }, undefined, buffers);
  });
  const address = (bytes, type) => {
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    made.push(url);
    return url;
  };
  const fetchThumbs = async () => {
    const batch = wanted;
    [wanted, asking] = [[], null];
    const { content, buffers } = await ask({ do: "thumbs", keys: batch.map(({ tile }) => [tile.digest, tile.time_s]) });
    let next = 0;
    content.found.forEach((there, i) => batch[i].done(there ? address(buffers[next++], "image/jpeg") : ""));
  };
  return {
    ask,
    async url(request) {
      const { content, buffers } = await ask(request);
      return address(buffers[0], content.type);
    },
    thumb(tile) {
      const key = `${tile.digest} ${tile.time_s}`;
      if (!thumbs.has(key)) {
        thumbs.set(key, new Promise((done) => {
          wanted.push({ tile, done });
          asking ??= setTimeout(() => fetchThumbs().catch(() => {}), 4);
        }));
      }
      return thumbs.get(key);
    },
    close() {
      model.off("msg:custom", heard);
      made.forEach(URL.revokeObjectURL);
    },
  };
}

// --------------------------------------------------------------------------------------------------------- the page

/** Draw a page into `el`. `options`: kind, terms, example, address (keep the query in the address bar), endless. */
export function mount(el, server, options = {}) {
  const ours = "voila" in document.body.dataset || !document.querySelector("#jupyter-config-data"); // else a notebook's address
  const kind = { judge: Judge, cut: Cut }[options.view] ?? Page;
  const view = new kind(server, { ...options, address: options.address && ours, endless: options.endless && ours });
  el.append(view.root);
  view.start();
  return () => { view.stop(); server.close(); el.replaceChildren(); };
}

class Page {
  constructor(server, options) {
    this.server = server;
    this.options = options;
    this.marks = new Map(); // thumbs of this query: key -> {tile, up}
    this.refined = null;
    [this.history, this.depth, this.recent] = [[], 0, []]; // in the app the browser keeps the history
    this.asked = 0;
    this.clips = new Clips(server);
    this.seen = new IntersectionObserver((entries) => this.cameIntoView(entries), { rootMargin: "300px" });
    this.build();
  }

  // -- the parts, from above to below

  build() {
    this.offered = h("div", { class: "offered", role: "listbox", "aria-label": "Suggestions", id: `offered-${Math.random().toString(36).slice(2)}`, hidden: true });
    this.line = h("input", {
      type: "search", class: "line", autocomplete: "off", spellcheck: "false", enterkeyhint: "search",
      "aria-label": "Words to search for", "aria-controls": this.offered.id, "aria-expanded": "false", role: "combobox", "aria-autocomplete": "list",
      oninput: () => this.offer(), onclick: () => this.line.value || this.offer(), onblur: later(150, () => this.line.matches(":focus") || this.hideOffers()),
      onkeydown: (event) => this.typed(event),
    });
    this.file = h("input", {
      type: "file", accept: "image/*,.heic,.heif", hidden: true, tabindex: "-1", "aria-hidden": "true",
      onchange: () => { const [file] = this.file.files; this.file.value = ""; if (file) this.upload(file); },
    });
    this.termList = h("span", { class: "terms" });
    this.signs = h("span", { class: "signs", hidden: true });
    this.form = h("div", { class: "ask", role: "search" }, // no form element: JupyterLab lets none be submitted
      h("div", { class: "field" }, icon("search"), this.termList, this.signs, this.line,
        button("picture", "Search by a picture of yours", () => this.file.click(), { class: "quiet" }), this.file, this.offered),
      h("button", { type: "button", class: "primary", onclick: () => this.submit() }, "Search"));
    this.plus = button("plus", "", () => this.another(1), { class: "pill" }, "also");
    this.minus = button("minus", "", () => this.another(-1), { class: "pill" }, "less of");
    this.kinds = h("div", { class: "kinds", role: "group", "aria-label": "What to search" },
      ...Object.entries(TABS).map(([kind, words]) =>
        h("button", { type: "button", class: "tab", "data-kind": kind, onclick: () => this.turnTo(kind) }, `${words} `, h("span", { class: "num" }))));
    this.backButton = button("back", "", () => this.back(), { class: "pill slim", hidden: true }, "Back");
    this.size = h("input", {
      type: "range", min: "110", max: "420", step: "10", value: String(this.options.size ?? (window.innerWidth < 560 ? 130 : 190)), "aria-label": "Size of the pictures",
      oninput: () => this.resize(),
    });
    this.near = h("input", { type: "range", min: "0", max: "1", step: "0.005", "aria-label": "Cutoff: how near a picture must come",
      oninput: () => this.showCutoff(), onchange: () => { this.cutoff = Number(this.near.value); this.ask(); } });
    this.nearOut = h("span", { class: "num read" });
    this.cut = h("label", { class: "slide", hidden: true }, h("span", {}, "Cutoff"), this.near, this.nearOut);
    this.filterButton = button("filter", "", () => this.unfold(), { class: "pill slim", "aria-expanded": "false" }, "Filters");
    this.bar = h("div", { class: "bar" }, this.kinds, this.backButton, this.plus, this.minus, this.filterButton,
      h("span", { class: "tune" }, this.cut, h("label", { class: "slide" }, h("span", {}, "Size"), this.size)));
    this.filterBox = h("div", { class: "filters", hidden: true });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "What filters" });
    this.suggested = h("div", { class: "suggested", role: "group", "aria-label": "What this library shows", hidden: true });
    this.notice = h("div", { class: "notice", role: "alert" });
    this.said = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.heading = h("h2", { class: "heading" });
    this.sub = h("p", { class: "sub" });
    this.offers = h("div", { class: "offers" });
    this.list = h("ul", { class: "tiles", "aria-label": "Results", onkeydown: (event) => this.steer(event) });
    this.more = h("div", { class: "more" });
    this.keepBox = h("div", { class: "keep", hidden: true });
    this.warning = h("p", { class: "warning" });
    this.root = h("section", {
      class: "clip-page", lang: "en", "aria-label": "Search photos and videos", "data-lm-suppress-shortcuts": "true",
      ondragover: (event) => { event.preventDefault(); this.root.classList.add("over"); },
      ondragleave: () => this.root.classList.remove("over"),
      ondrop: (event) => this.dropped(event),
      onpaste: (event) => this.pasted(event),
    }, this.options.network && networkNote(this.server), this.form, this.bar, this.filterBox, this.chips, this.suggested, this.notice, this.said,
      h("div", { class: "head" }, h("div", {}, this.heading, this.sub), this.offers),
      this.keepBox, this.list, this.more, this.warning);
    this.box = new Lightbox(this);
    this.root.append(this.box.dialog);
    this.put({});
    this.resize();
  }

  async start() {
    this.put({ kind: this.options.kind, terms: this.options.terms });
    if (this.options.address) {
      this.readAddress();
      window.addEventListener("popstate", this.pop = ({ state }) => this.goTo(state));
    }
    await this.ask({ keep: true });
    try {
      this.about = (await this.server.ask({ do: "about" })).content;
      this.buildFilters();
      this.showSuggestions((await this.server.ask({ do: "suggest" })).content.suggestions);
    } catch (error) { this.say(error.message); }
  }

  stop() {
    window.removeEventListener("popstate", this.pop);
    this.seen.disconnect();
    this.clips.stop();
  }

  // -- the query: terms with weights, and the words that are being typed

  /** What is asked: the terms that stand as chips, and the words in the line. */
  question() {
    const words = this.line.value.trim();
    return words ? [...this.terms, { kind: "text", value: words, weight: this.sign }] : this.terms;
  }

  submit() {
    this.cutoff = null;
    this.hideOffers();
    this.ask();
  }

  /** The words in the line become a chip, and the line takes what else should be there, or should not. */
  another(sign) {
    const words = this.line.value.trim();
    if (words) this.terms = [...this.terms, { kind: "text", value: words, weight: this.sign }];
    this.line.value = "";
    [this.sign, this.adding] = [sign, this.terms.length > 0];
    this.showTerms();
    this.line.focus();
  }

  /** Ask by a picture: alone, or with what stands there where somebody has said "also" or "less of". */
  take(term) {
    if (!this.adding) { this.askBy(term); return; }
    this.terms = [...this.terms, { ...term, weight: this.sign }];
    this.line.value = "";
    this.submit();
  }

  askBy(term) {
    this.terms = [term];
    [this.line.value, this.sign, this.adding, this.cutoff, this.sort] = ["", 1, false, null, "match"];
    this.box.close();
    this.ask();
    this.root.scrollIntoView({ block: "start" });
  }

  similar(tile) { this.askBy(this.termOf(tile)); }

  termOf(tile) {
    return { kind: tile.time_s === null ? "photo" : "frame", value: tile.path, ...(tile.time_s !== null && { time_s: tile.time_s }), weight: 1, tile };
  }

  async upload(file) {
    this.say("");
    try {
      const bytes = await file.arrayBuffer();
      const { content, buffers } = await this.server.ask({ do: "upload", name: file.name }, [bytes]);
      const url = buffers.length ? URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })) : await this.server.url({ do: "uploaded", id: content.id });
      this.take({ kind: "upload", value: content.id, name: content.name, weight: 1, url });
    } catch (error) { this.fail(error); }
  }

  dropped(event) {
    event.preventDefault();
    this.root.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) this.upload(file);
  }

  pasted(event) {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) { event.preventDefault(); this.upload(file); }
  }

  // -- under the line: what was asked before, and photos with such a name

  async offer() {
    const part = this.line.value.trim(), before = this.recent.filter((words) => words.toLowerCase().includes(part.toLowerCase()) && words !== part).slice(0, 5);
    const mine = (this.offering = {});
    this.showOffered(before, []);
    if (part.length < 2) return;
    const { content } = await this.server.ask({ do: "names", part }).catch(() => ({ content: { photos: [] } }));
    if (this.offering === mine) this.showOffered(before, content.photos);
  }

  showOffered(words, photos) {
    const option = (run, ...inside) => h("button", { type: "button", role: "option", tabindex: "-1", "aria-selected": "false", onmousedown: (event) => event.preventDefault(),
      onclick: () => { this.hideOffers(); run(); } }, ...inside);
    fill(this.offered,
      words.map((one) => option(() => { this.line.value = one; this.submit(); }, icon("again"), h("span", {}, one))),
      photos.map((tile) => option(() => this.take(this.termOf(tile)), this.pictureOf(tile), h("span", {}, "like ", h("b", {}, tile.name)), h("span", { class: "dim" }, tile.folder))));
    this.setOffered(this.offered.childElementCount > 0 && this.root.contains(document.activeElement));
  }

  hideOffers() {
    this.offering = null;
    this.setOffered(false);
  }

  setOffered(shown) {
    this.offered.hidden = !shown;
    this.line.setAttribute("aria-expanded", String(shown));
  }

  typed(event) {
    const options = [...this.offered.children], at = options.findIndex((one) => one.ariaSelected === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      if (!this.offered.hidden && at >= 0) options[at].click();
      else this.submit();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.offered.hidden) this.line.value = "";
      this.hideOffers();
    } else if (step && !this.offered.hidden) {
      event.preventDefault();
      const next = at + step;
      options.forEach((one, i) => { one.ariaSelected = String(i === next); });
      this.line.setAttribute("aria-activedescendant", options[next] ? (options[next].id ||= `${this.offered.id}-${next}`) : "");
      options[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Backspace" && !this.line.value && this.terms.length) this.drop(this.terms.length - 1);
  }

  pictureOf(tile) {
    const picture = h("img", { alt: "" });
    this.server.thumb(tile).then((url) => { if (url) picture.src = url; });
    return picture;
  }

  showSuggestions(suggestions) {
    fill(this.suggested, suggestions.map(({ text, tile }) => h("button", { type: "button", class: "pill seen", onclick: () => { this.line.value = text; this.submit(); } },
      this.pictureOf(tile), text)));
    this.suggested.hidden = !suggestions.length || !this.answer?.browsing;
  }

  showTerms() {
    this.termList.replaceChildren(...this.terms.map((term, i) => this.termChip(term, i)));
    const several = this.terms.length > 0;
    this.signs.hidden = !several;
    this.signs.textContent = this.sign < 0 ? "less of" : "and";
    this.line.placeholder = several ? (this.sign < 0 ? "what should not be there?" : "more words") :
      "Words, a picture, or a part of a photo's name";
    for (const tab of this.kinds.children) tab.setAttribute("aria-pressed", String(tab.dataset.kind === this.kind));
    this.backButton.hidden = !this.depth;
  }

  termChip(term, i) {
    const name = term.kind === "text" ? term.value : term.name ?? term.value.split("/").pop() +
      (term.kind === "frame" ? ` at ${clock(term.time_s)}` : "");
    const picture = term.kind !== "text" && h("img", { alt: "" });
    if (picture) {
      if (term.url) picture.src = term.url;
      else if (term.tile) this.server.thumb(term.tile).then((url) => { picture.src = url; });
      else this.server.ask({ do: "stack", paths: [term.value] }).then(({ content }) => this.server.thumb(content.tiles[0]))
        .then((url) => { picture.src = url; }).catch(() => picture.remove());
    }
    const weight = h("select", { "aria-label": `How much ${name} counts`, onchange: () => { term.weight = Number(weight.value); this.ask(); } },
      ...[[2, "much more"], [1, "more of"], [0.5, "a little"], [-0.5, "a little less"], [-1, "less of"], [-2, "much less"]].map(([value, words]) =>
        h("option", { value: String(value), selected: term.weight === value }, words)));
    return h("span", { class: `term${term.weight < 0 ? " less" : ""}` }, picture,
      (this.terms.length > 1 || term.weight !== 1 || this.line.value) && weight, h("b", {}, name),
      button("close", `Take ${name} out of the query`, () => this.drop(i), { class: "bare" }));
  }

  /** Take a term out of the query. */
  drop(i) {
    this.terms = this.terms.filter((_, at) => at !== i);
    if (!this.terms.length) [this.sign, this.adding] = [1, false];
    this.ask();
  }

  turnTo(kind) {
    if (kind === this.kind) return;
    [this.kind, this.cutoff] = [kind, null];
    this.ask();
  }

  // -- the address, and going back

  /** All that an answer hangs on, for the address and for going back. */
  state() {
    return { kind: this.kind, terms: this.question(), filters: { ...this.filters }, cutoff: this.cutoff, stackFrom: this.stackFrom, sort: this.sort };
  }

  put(state) {
    this.kind = state.kind ?? "all";
    const terms = (state.terms ?? []).map((term) => ({ weight: 1, ...term }));
    const last = terms.at(-1);
    const typed = last?.kind === "text" && terms.length === 1 && last.weight === 1;
    this.line.value = typed ? last.value : "";
    this.terms = typed ? [] : terms;
    [this.filters, this.cutoff, this.stackFrom, this.sort, this.sign, this.adding] =
      [{ ...state.filters }, state.cutoff ?? null, state.stackFrom ?? ONE_SCENE, state.sort ?? "match", 1, false];
    if (this.about) this.buildFilters();
  }

  /** The address says the query, as far as one can send it to others; the browser's history knows all of it. */
  writeAddress(replace) {
    if (!this.options.address) return;
    const { kind, filters, cutoff, stackFrom, sort } = this.state(), params = new URLSearchParams();
    const terms = plainTerms(this.question()).filter((term) => term.kind !== "upload");
    const plain = terms.length === 1 && terms[0].kind === "text" && terms[0].weight === 1;
    if (plain) params.set("q", terms[0].value);
    else if (terms.length) params.set("terms", JSON.stringify(terms));
    if (kind !== "all") params.set("kind", kind);
    if (Object.keys(filters).length) params.set("filters", JSON.stringify(filters));
    if (cutoff !== null) params.set("cutoff", cutoff);
    if (stackFrom !== ONE_SCENE) params.set("stack", stackFrom);
    if (sort !== "match") params.set("sort", sort);
    const url = `${window.location.pathname}${params.size ? `?${params}` : ""}`;
    window.history[replace ? "replaceState" : "pushState"]({ ...this.state(), depth: this.depth }, "", url);
  }

  readAddress() {
    const params = new URLSearchParams(window.location.search), parsed = (name, otherwise) => {
      try { return JSON.parse(params.get(name)) ?? otherwise; } catch { return otherwise; }
    };
    const words = params.get("q"), kind = params.get("kind");
    if (![...params.keys()].length && this.options.terms) return; // the page's own example
    this.put({ kind: kind in TABS ? kind : "all", terms: words ? [{ kind: "text", value: words }] : parsed("terms", []),
      filters: parsed("filters", {}), cutoff: parsed("cutoff", null), stackFrom: parsed("stack", ONE_SCENE), sort: params.get("sort") ?? "match" });
  }

  /** Where the browser's history leads. */
  async goTo(state) {
    this.box.close();
    if (state) this.put(state);
    else this.readAddress();
    this.depth = state?.depth ?? 0;
    await this.ask({ keep: true, count: state?.shown });
    if (state?.top) requestAnimationFrame(() => window.scrollTo({ top: state.top })); // once the tiles have their places
  }

  async back() {
    if (this.options.address) { window.history.back(); return; }
    const before = this.history.pop();
    if (!before) return;
    this.put(before);
    this.depth = before.depth;
    await this.ask({ keep: true, count: before.shown });
  }

  // -- asking and showing

  request(start, more = {}) {
    const refined = this.refined ?? {};
    return { do: "ask", kind: this.kind, terms: plainTerms(this.question()),
      cutoff: this.cutoff, filters: this.filters, near_duplicates: this.stackFrom || null, sort: this.sort, start, count: PAGE, below: this.below, ...refined, ...more };
  }

  /** Ask anew. `keep`: this is no new step of the history. `refine`: by the thumbs that were given. */
  async ask({ keep = false, refine = null, count = PAGE } = {}) {
    const mine = ++this.asked, now = this.state(), same = this.shownState && JSON.stringify(this.shownState) === JSON.stringify(now);
    const step = !keep && this.shownState && !same;
    if (step) this.leave();
    [this.below, this.refined] = [false, refine];
    if (!refine) this.marks.clear();
    this.keepBox.hidden = true;
    this.say("");
    this.showTerms();
    this.root.classList.add("busy");
    try {
      const { content } = await this.server.ask(this.request(0, { count }));
      if (mine !== this.asked) return; // a later question was faster
      this.shownState = now;
      this.writeAddress(!step);
      this.remember();
      this.answer = content;
      for (const [path, time_s, up] of content.judged) this.marks.set(`${path}\n${time_s ?? ""}`, { tile: { path, time_s }, up });
      this.show(content);
    } catch (error) {
      if (mine === this.asked) this.fail(error);
    } finally {
      if (mine === this.asked) this.root.classList.remove("busy");
    }
  }

  /** Keep where one was, for coming back. */
  leave() {
    const place = { ...this.shownState, depth: this.depth, shown: Math.max(PAGE, this.tiles?.length ?? 0), top: Math.round(window.scrollY) };
    this.depth += 1;
    if (this.options.address) window.history.replaceState(place, "");
    else this.history.push(place);
  }

  /** Words that were asked are offered again while this page is open. */
  remember() {
    const words = this.line.value.trim();
    if (words) this.recent = [words, ...this.recent.filter((one) => one !== words)].slice(0, 20);
  }

  /** An error takes the place of the results: old ones under it would belong to another question. */
  fail(error) {
    this.say(error.message);
    this.list.replaceChildren();
    [this.heading, this.sub, this.offers, this.more].forEach((part) => part.replaceChildren());
    [this.answer, this.tiles] = [null, []];
    this.showChips(); // what may have led to it can be taken off
  }

  say(words) {
    this.notice.replaceChildren(...(words ? [h("p", {}, words)] : []));
  }

  show(answer) {
    this.tiles = [];
    this.seen.disconnect();
    this.clips.forget();
    this.list.replaceChildren();
    this.warning.textContent = answer.warning;
    this.open = this.options.endless ? Infinity : AT_FIRST;
    this.showHead();
    this.add(answer.tiles);
    this.showCut();
    this.showChips();
    this.suggested.hidden = !answer.browsing || !this.suggested.childElementCount;
    for (const note of answer.notes) this.notice.append(h("p", { class: "note" }, note));
    this.said.textContent = `${this.heading.textContent}. ${this.sub.textContent}`;
  }

  showHead() {
    const { title, browsing, composed, kinds } = this.answer, { image, frame } = kinds;
    const things = joined([image && (image.passing || !frame?.passing) && count(image.passing, "photo"),
      frame && (frame.passing || !image) && count(frame.passing, browsing ? "video" : "moment")]);
    const asked = h("q", {}, this.refined ? `${title}, by your thumbs` : title), passing = this.answer.passing;
    this.heading.replaceChildren(...(browsing ? [`${things}, newest first`] : composed ? ["The nearest to ", asked] :
      [passing ? `${things} of ` : `No ${{ image: "photo", frame: "video" }[this.kind] ?? "photo and no video"} of `, asked]));
    const about = [];
    if (!browsing && !passing) about.push((image ?? frame).empty_message);
    else if (!browsing && composed) about.push("Sums have no cutoff of their own: the nearest come first.");
    if (!browsing) about.push(`${joined([image && count(image.compared, "photo"), frame && count(frame.compared, "video frame")])} compared.`);
    this.sub.textContent = about.join(" ");
    this.showCounts();
    this.showOffers();
  }

  /** How many each tab has, as long as the last answer to all kinds is that of the same query. */
  showCounts() {
    const { kind, ...asked } = this.request(0), key = JSON.stringify(asked), { kinds, passing } = this.answer;
    if (kind === "all") this.counted = { key, all: passing, image: kinds.image?.passing ?? 0, frame: kinds.frame?.passing ?? 0 };
    for (const tab of this.kinds.children) tab.lastChild.textContent = this.counted?.key === key ? this.counted[tab.dataset.kind] : "";
  }

  showOffers() {
    const given = [...this.marks.values()], yes = given.filter(({ up }) => up), no = given.filter(({ up }) => !up);
    const places = (marks) => marks.map(({ tile }) => ({ path: tile.path, time_s: tile.time_s }));
    const orders = this.answer?.browsing ? [["match", "newest"]] : [["match", "best match"], ...(this.answer?.unit === "match" || this.sort === "cosine" ? [["cosine", "cosine"]] : []), ["date", "newest"]];
    fill(this.offers,
      given.length > 0 && !this.answer.browsing && button("similar", "", () => this.ask({ keep: true, refine: { yes: places(yes), no: places(no) } }),
        { class: "pill" }, `Refine by ${yes.length} yes, ${no.length} no`),
      orders.length > 1 && h("label", { class: "slide" }, h("span", {}, "Order"),
        h("select", { onchange: (event) => { [this.sort, this.cutoff] = [event.target.value, null]; this.ask({ keep: true, refine: this.refined }); } },
          ...orders.map(([value, words]) => h("option", { value, selected: this.sort === value }, words)))),
      orders.length > 1 && button("download", "", () => this.keep(), { class: "pill", "aria-expanded": String(!this.keepBox.hidden) }, "Keep"));
  }

  showCut() {
    this.cut.hidden = Boolean(this.answer.browsing) || this.kind === "all"; // a cutoff is that of one kind
    if (this.cut.hidden) return;
    const { range, cutoff, own_cutoff: own } = this.answer.kinds[this.kind];
    const low = Math.floor(100 * Math.min(range[0], own > -1 ? own : range[0])) / 100;
    const high = Math.ceil(100 * Math.max(range[1], own)) / 100;
    [this.near.min, this.near.max] = [String(low), String(high)];
    this.near.value = String(Math.max(low, cutoff));
    this.showCutoff();
  }

  showCutoff() {
    this.nearOut.textContent = Number(this.near.value).toFixed(2);
    this.near.setAttribute("aria-valuetext", `${this.answer.unit} of ${this.nearOut.textContent} or more`);
  }

  add(tiles) {
    const first = this.tiles.length;
    for (const [i, tile] of tiles.entries()) {
      const shown = this.tileOf(tile, first + i);
      this.tiles.push(tile);
      this.list.append(shown);
      this.seen.observe(shown);
    }
    this.hideRest();
    this.showMore();
    if (first === 0 && this.list.firstChild) this.list.querySelector(".open").tabIndex = 0;
  }

  /** In a notebook the first tiles, then more when asked: an output without an end would push all cells away. */
  hideRest() {
    [...this.list.children].forEach((item, i) => { item.hidden = i >= this.open; });
  }

  showMore() {
    const shown = Math.min(this.open, this.tiles.length), { passing, all, kinds, browsing } = this.answer;
    const rest = Math.max(0, passing - shown), stacked = this.tiles.reduce((sum, tile) => sum + (tile.stacked?.length ?? 0), 0);
    const below = kinds.image && !kinds.frame ? kinds.image.compared - Math.max(passing, this.tiles.length) - stacked : 0;
    const parts = [];
    if (rest) parts.push(button("", "", () => this.showRest(), { class: "pill wide" }, browsing ? `${rest} more` : `${rest} more ${rest === 1 ? "passes" : "pass"}`));
    else if (!browsing && !this.below && Object.values(kinds).some(({ cutoff }) => cutoff > -1) && (below > 0 || kinds.frame)) {
      parts.push(button("", "", () => this.showBelow(), { class: "pill wide" }, "Show what lies below the cutoff"));
    } else if (this.below && this.tiles.length < all) parts.push(button("", "", () => this.fetchMore(), { class: "pill wide" }, "More"));
    this.more.replaceChildren(...parts);
    if (rest && this.open === Infinity) this.seen.observe(this.more);
  }

  showRest() {
    const at = Math.min(this.open, this.tiles.length);
    this.open = Infinity;
    this.hideRest();
    if (this.tiles.length < this.answer.passing) this.fetchMore();
    else this.showMore();
    this.list.children[at]?.querySelector(".open").focus();
  }

  async showBelow() {
    this.below = true;
    this.open = Infinity;
    await this.fetchMore();
  }

  async fetchMore() {
    if (this.fetching) return;
    const mine = this.asked;
    this.fetching = true;
    try {
      const { content } = await this.server.ask(this.request(this.tiles.length));
      if (mine !== this.asked) return;
      this.answer = { ...this.answer, all: content.all };
      this.add(content.tiles);
      this.said.textContent = `${this.tiles.length} shown`;
    } catch (error) { this.say(error.message); } finally { this.fetching = false; }
  }

  cameIntoView(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) { this.clips.unwant(target); continue; }
      if (target === this.more) { this.seen.unobserve(target); this.fetchMore(); continue; }
      const tile = this.tiles[target.dataset.at], picture = target.querySelector("img");
      if (picture && !picture.src) this.server.thumb(tile).then((url) => this.fillThumb(picture, url));
      if (tile?.clip) this.clips.want(target, tile);
    }
  }

  fillThumb(picture, url) {
    if (url) picture.src = url;
    else picture.replaceWith(h("span", { class: "none" }, "no preview"));
  }

  resize() {
    this.root.style.setProperty("--tall", `${this.size.value}px`);
    this.size.setAttribute("aria-valuetext", `${this.size.value} pixels high`);
  }

  // -- a tile

  tileOf(tile, at) {
    const ratio = Math.min(2.4, Math.max(0.6, (tile.width || 4) / (tile.height || 3)));
    const day = dayOf(tile), video = tile.time_s !== null;
    const when = video ? (tile.start_s === undefined ? clock(tile.time_s) : `${clock(tile.start_s)}–${clock(tile.end_s)}`) : "";
    const label = [tile.name, when, tile.words && `match: ${tile.words}`, day, tile.folder && `in ${tile.folder}`].filter(Boolean).join(", ");
    const figure = h("div", { class: "shot" },
      h("button", { type: "button", class: "open", tabindex: "-1", "aria-label": label, onclick: () => this.box.show(at) },
        h("img", { alt: "", draggable: "false" })),
      tile.stacked.length ? button("stack", `${tile.stacked.length} more alike: open the stack`, () => this.box.show(at), { class: "badge stacked", tabindex: "-1" }, `+${tile.stacked.length}`) : null,
      video && tile.clip ? button("play", `Play ${tile.name} ${when}`, () => this.clips.toggle(item, tile), { class: "badge play" }) : null,
      h("div", { class: "acts" },
        button("similar", "Find similar", () => this.similar(tile), { tabindex: "-1" }),
        ...(this.answer.browsing ? [] : [
          button("up", "This is what I asked for", () => this.thumb(at, true), { class: "yes", tabindex: "-1" }),
          button("down", "This is not what I asked for", () => this.thumb(at, false), { class: "no", tabindex: "-1" })])));
    const item = h("li", { class: `tile${tile.passes ? "" : " below"}`, "data-at": String(at), style: `--r:${ratio.toFixed(3)}`, title: tile.path },
      figure, h("div", { class: "cap" }, tile.score !== null && this.matchLine(tile),
        tile.curve && curveOf(tile, this.answer.kinds.frame.scale, (time_s) => this.clips.playFrom(item, tile, time_s)),
        h("div", { class: "dim" }, [video ? `${tile.name} ${when}` : "", day, tile.folder || (!video && !day && tile.name)].filter(Boolean).join(" · "))));
    if (tile.clip) {
      figure.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.clips.hover(item, tile));
      figure.addEventListener("pointerleave", () => item.hovered && this.clips.end(item));
    }
    this.showMark(item, tile);
    return item;
  }

  matchLine(tile) {
    return h("div", { class: "match" }, h("span", { class: "meter" }, h("i", { style: `width:${Math.round(100 * tile.strength)}%` }), h("u", {})),
      h("span", { class: "words" }, tile.words), h("span", { class: "num", title: "cosine" }, tile.cosine.toFixed(2)));
  }

  showMark(item, tile) {
    const given = this.marks.get(keyOf(tile))?.up;
    item.classList.toggle("liked", given === true);
    item.classList.toggle("disliked", given === false);
    for (const [name, value] of [["yes", true], ["no", false]]) {
      item.querySelectorAll(`.${name}`).forEach((one) => one.setAttribute("aria-pressed", String(given === value)));
    }
  }

  /** Give a thumb, or take it back by giving the same again. */
  async thumb(at, up) {
    const tile = this.tiles[at], key = keyOf(tile), before = this.marks.get(key)?.up;
    const now = before === up ? null : up;
    if (now === null) this.marks.delete(key);
    else this.marks.set(key, { tile, up: now });
    this.showMark(this.list.children[at], tile);
    this.showOffers();
    try {
      const { content } = await this.server.ask({ do: "judge", terms: this.request(0).terms, path: tile.path,
        time_s: tile.time_s, relevant: now, refined: Boolean(this.refined) });
      this.said.textContent = now === null ? "Thumb taken back" : up ? "Marked as right" : "Marked as wrong";
      if (!content.kept && !this.refined) this.say("This thumb refines the query here. It is not kept for measuring: only one text, or one photo of the library, can be asked again later.");
    } catch (error) { this.say(error.message); }
  }

  // -- the keyboard in the grid: arrows walk, Enter opens, s finds similar, y and n are thumbs, p plays

  steer(event) {
    const item = event.target.closest(".tile");
    if (!item || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".curve")) return;
    const at = Number(item.dataset.at), go = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.tiles.length - 1 }[event.key] ??
      (event.key === "ArrowDown" ? this.beside(item, 1) : event.key === "ArrowUp" ? this.beside(item, -1) : undefined);
    if (go !== undefined) {
      const next = this.list.children[go];
      event.preventDefault();
      if (!next || next.hidden) return;
      this.list.querySelector('.open[tabindex="0"]')?.setAttribute("tabindex", "-1");
      const open = next.querySelector(".open");
      open.tabIndex = 0;
      open.focus();
    } else if (event.key === "s") this.similar(this.tiles[at]);
    else if ((event.key === "y" || event.key === "n") && !this.answer.browsing) this.thumb(at, event.key === "y");
    else if (event.key === "p" && this.tiles[at].clip) this.clips.toggle(item, this.tiles[at]);
  }

  /** The tile above or below: the nearest in the next row. */
  beside(item, way) {
    const here = item.getBoundingClientRect(), middle = here.left + here.width / 2;
    const rows = [...this.list.children].filter((one) => !one.hidden).map((one) => [one, one.getBoundingClientRect()])
      .filter(([, box]) => (way > 0 ? box.top > here.top + 5 : box.top < here.top - 5));
    if (!rows.length) return undefined;
    const top = way > 0 ? Math.min(...rows.map(([, box]) => box.top)) : Math.max(...rows.map(([, box]) => box.top));
    const row = rows.filter(([, box]) => Math.abs(box.top - top) < 5);
    const [best] = row.reduce((a, b) => (Math.abs(b[1].left + b[1].width / 2 - middle) < Math.abs(a[1].left + a[1].width / 2 - middle) ? b : a));
    return Number(best.dataset.at);
  }

  // -- filters, and chips for those that act

  /** Set or take off filters, and ask again. */
  filterBy(values) {
    for (const [name, value] of Object.entries(values)) {
      if (value === "" || value === null || value === undefined) delete this.filters[name];
      else this.filters[name] = value;
    }
    this.buildFilters();
    return this.ask();
  }

  buildFilters() {
    const { filters, about } = this, field = (label, input) => h("label", {}, h("span", {}, label), input);
    const choice = (name, all, values) => h("select", { onchange: (event) => this.filterBy({ [name]: event.target.value }) },
      h("option", { value: "" }, all), ...values.map((one) => h("option", { value: one, selected: filters[name] === one }, one)));
    const day = (name) => h("input", { type: "date", value: filters[name] ?? "", onchange: (event) => this.filterBy({ [name]: event.target.value }) });
    const stack = h("select", { onchange: (event) => { this.stackFrom = Number(event.target.value); this.ask(); } },
      ...[[0, "each on its own"], [ONE_SCENE, "stack shots of one scene"], [0.95, "stack look-alikes"]].map(([value, words]) =>
        h("option", { value, selected: this.stackFrom === value }, words)));
    const shots = h("select", { onchange: (event) => this.filterBy({ screenshots: event.target.value === "no" ? false : null }) },
      h("option", { value: "" }, "screenshots too"), h("option", { value: "no", selected: filters.screenshots === false }, "no screenshots"));
    fill(this.filterBox, stripOf(about.months, filters, (since, until) => this.filterBy({ since, until })),
      h("div", { class: "fields" }, field("From", day("since")), field("To", day("until")),
        about.folders.length > 0 && field("Folder", choice("folder", "all folders", about.folders)),
        about.cameras.length > 0 && field("Camera", choice("camera", "all cameras", about.cameras)),
        field("Look-alikes", stack), field("Screenshots", shots)),
      about.places.length > 0 && this.mapBox());
  }

  /** The map: a click on a place filters by it, and shows what lies within. */
  mapBox() {
    const box = h("div", { class: "map" }), { near, km } = this.filters;
    const draw = (places) => fill(box, mapOf(places, near, (place) => this.filterBy({ near: [place.latitude, place.longitude], km: place.km })),
      near && button("close", "", () => this.filterBy({ near: null, km: null }), { class: "pill" }, "The whole map"));
    if (near) this.server.ask({ do: "places", near, km }).then(({ content }) => draw(content.places)).catch((error) => this.say(error.message));
    else draw(this.about.places);
    return box;
  }

  unfold() {
    this.filterBox.hidden = !this.filterBox.hidden;
    this.filterButton.setAttribute("aria-expanded", String(!this.filterBox.hidden));
    this.root.classList.toggle("unfolded", !this.filterBox.hidden);
  }

  showChips() {
    const { folder, since, until, camera, screenshots, near, km } = this.filters, off = (...names) => () => this.filterBy(Object.fromEntries(names.map((name) => [name, null])));
    const chips = [
      folder && [`in ${folder}`, off("folder")],
      (since || until) && [spanOf(since, until), off("since", "until")],
      camera && [camera, off("camera")],
      near && [`within ${km < 10 ? km : Math.round(km)} km of ${near.map((degrees) => degrees.toFixed(2)).join(", ")}`, off("near", "km")],
      screenshots === false && ["no screenshots", off("screenshots")],
      this.stackFrom !== ONE_SCENE && [this.stackFrom ? "look-alikes stacked" : "nothing stacked", () => { this.stackFrom = ONE_SCENE; this.filterBy({}); }],
      this.cutoff !== null && [`cutoff ${this.cutoff.toFixed(2)}`, () => { this.cutoff = null; this.ask(); }],
    ].filter(Boolean);
    fill(this.chips, chips.map(([words, drop]) => button("close", "", drop, { class: "pill on", "aria-label": `Take off: ${words}` }, words)));
  }

  // -- taking results out

  keep() {
    this.keepBox.hidden = !this.keepBox.hidden;
    this.showOffers();
    if (this.keepBox.hidden) return;
    const liked = () => this.tiles.filter((tile) => this.marks.get(keyOf(tile))?.up);
    const passing = () => this.tiles.filter((tile) => tile.passes);
    const choice = h("select", { "aria-label": "What to keep" },
      h("option", { value: "all" }, `all ${this.answer.passing} that are found`),
      ...(this.tiles.some((tile) => tile.stacked?.length) ? [h("option", { value: "stacks" }, "the same, with all that is stacked")] : []),
      ...(liked().length ? [h("option", { value: "liked", selected: true }, `the ${liked().length} with a thumb up`)] : []));
    const chosen = async () => {
      if (choice.value === "liked") return liked();
      while (this.tiles.length < this.answer.passing) {
        const before = this.tiles.length;
        await this.fetchMore();
        if (this.tiles.length === before) break;
      }
      if (choice.value === "all") return passing();
      return passing().flatMap((tile) => [tile, ...tile.stacked.map((one) => ({ ...tile, ...one }))]);
    };
    const done = h("p", { role: "status" }), folder = h("input", { type: "text", placeholder: "found", "aria-label": "Folder for the copies" });
    const doing = (work) => async () => {
      done.textContent = "One moment …";
      try { done.textContent = await work(await chosen()); } catch (error) { done.textContent = error.message; }
    };
    const places = (tiles) => tiles.map(({ path, time_s }) => ({ path, time_s }));
    const save = (form) => doing(async (tiles) => {
      const { terms, ...rest } = this.request(0);
      await this.download({ ...rest, do: "export", form, terms, tiles: places(tiles) }, `found.${form}`);
      return `${count(tiles.length, "result")} in found.${form}`;
    });
    fill(this.keepBox, h("div", { class: "bar" }, h("span", {}, "Keep"), choice,
      button("download", "", save("csv"), { class: "pill" }, "Table (CSV)"),
      button("download", "", save("html"), { class: "pill" }, "Page (HTML)"),
      button("copy", "", doing(async (tiles) => { await copyText(tiles.map((tile) => tile.path).join("\n")); return `${count(tiles.length, "path")} copied`; }), { class: "pill" }, "Copy paths")),
    this.about?.copies && h("div", { class: "bar" }, h("label", { class: "slide" }, h("span", {}, "Copy the files to"), folder),
      button("copy", "", doing(async (tiles) => {
        const { content } = await this.server.ask({ do: "copy", paths: tiles.map((tile) => tile.path), folder: folder.value || "found" });
        return [`${count(content.copied, "file")} copied to ${content.folder}`, ...content.notes].join(". ");
      }), { class: "pill" }, "Copy"), h("span", { class: "dim" }, `a name alone lies in ${this.about.beside}`)), done);
  }

  async download(request, name) {
    const url = await this.server.url(request);
    const link = h("a", { href: url, download: name });
    this.root.append(link);
    link.click();
    link.remove();
  }
}

async function copyText(text) {
  try { await navigator.clipboard.writeText(text); } catch { // not allowed here, as in some frames
    const area = h("textarea", { class: "unseen" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// ------------------------------------------------------------------------------------- served to phones in a network

/** What plain HTTP means, and on the computer that serves it a way to invite one more device. */
function networkNote(server) {
  const local = ["localhost", "127.0.0.1"].includes(window.location.hostname), notice = h("span", { role: "alert" });
  const shown = h("div", { class: "invitation" }), dialog = h("dialog", { class: "invite", "aria-label": "Open this page on a phone" }, shown,
    button("close", "", () => dialog.close(), { class: "pill" }, "Close"));
  const invite = async () => {
    try {
      const { url, svg: code } = await server.invite();
      shown.innerHTML = code; // drawn by the server: black squares, no words
      shown.append(h("p", {}, "Point the phone's camera at this, in the same network. It lets one browser in, once."), h("p", {}, h("code", {}, url)));
      dialog.showModal();
    } catch (error) { notice.textContent = error.message; }
  };
  return h("div", { class: "network" }, h("span", {}, "Plain HTTP, for a network at home: whoever else is in it could read what you ask and see. Not for a café or a school."),
    local && button("phone", "", invite, { class: "pill" }, "Open on a phone"), notice, dialog);
}

// -------------------------------------------------------------------------------- when and where: a strip, and a map

/** Years with their months as bars: a drag over months, or a click on a year, gives their first and last day. */
function stripOf(months, { since = "", until = "" }, choose) {
  const names = Object.keys(months);
  if (!names.length) return null;
  const first = Number(names[0].slice(0, 4)), years = Array.from({ length: Number(names.at(-1).slice(0, 4)) - first + 1 }, (_, i) => first + i);
  const most = Math.max(...Object.values(months)), all = years.flatMap((year) => MONTHS.map((_, i) => `${year}-${String(i + 1).padStart(2, "0")}`));
  const held = (month) => (since || until) && month >= since.slice(0, 7) && (!until || month <= until.slice(0, 7));
  const bars = all.map((month) => h("i", { class: held(month) ? "held" : "", title: `${spanOf(`${month}-01`, lastDay(month))}: ${months[month] ?? 0}`,
    style: `--h:${months[month] ? Math.max(0.08, Math.sqrt(months[month] / most)) : 0}` }));
  let from = null;
  const at = (event) => {
    const box = area.getBoundingClientRect();
    return Math.min(all.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * all.length)));
  };
  const mark = (event) => {
    const [a, b] = [from, at(event)].sort((x, y) => x - y);
    bars.forEach((bar, i) => bar.classList.toggle("held", i >= a && i <= b));
    return [a, b];
  };
  const area = h("div", { class: "months", "aria-hidden": "true",
    onpointerdown: (event) => { from = at(event); area.setPointerCapture(event.pointerId); mark(event); },
    onpointermove: (event) => from !== null && mark(event),
    onpointercancel: () => { from = null; },
    onpointerup: (event) => {
      if (from === null) return;
      const [a, b] = mark(event);
      from = null;
      choose(`${all[a]}-01`, lastDay(all[b]));
    } }, bars);
  const labels = years.map((year) => {
    const whole = since === `${year}-01-01` && until === `${year}-12-31`;
    return h("button", { type: "button", "aria-pressed": String(whole), onclick: () => (whole ? choose(null, null) : choose(`${year}-01-01`, `${year}-12-31`)) }, String(year));
  });
  return h("div", { class: "strip", role: "group", "aria-label": "When: years" }, h("div", { style: `--n:${years.length};min-width:${48 * years.length}px` }, area, h("div", { class: "years" }, labels)));
}

/** Where photos were taken, north above: dots on a net of degrees, drawn from the index alone. */
function mapOf(places, near, choose) {
  const wide = 360, latitudes = places.map((place) => place.latitude), longitudes = places.map((place) => place.longitude);
  const [south, north, west, east] = [Math.min(...latitudes), Math.max(...latitudes), Math.min(...longitudes), Math.max(...longitudes)];
  const shrink = Math.max(0.1, Math.cos(((south + north) / 2) * (Math.PI / 180))); // degrees of longitude are shorter than those of latitude
  const span = Math.max(east - west, (north - south) / shrink, 0.02) * 1.25, tall = Math.min(300, Math.max(170, (wide * (north - south) * 1.25) / (span * shrink) + 60));
  const [x0, y0] = [(west + east) / 2 - span / 2, (south + north) / 2];
  const x = (longitude) => ((longitude - x0) / span) * wide, y = (latitude) => tall / 2 - (((latitude - y0) / shrink) / span) * wide;
  const step = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30].find((one) => span / one <= 6) ?? 60, digits = step < 0.01 ? 3 : step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const degrees = (value, [plus, minus]) => `${Math.abs(value).toFixed(digits)}° ${value < 0 ? minus : plus}`;
  const net = [];
  for (let line = Math.ceil(x0 / step) * step; x(line) < wide; line += step) {
    net.push(svg("line", { x1: x(line), x2: x(line), y1: 0, y2: tall }), svg("text", { x: x(line) + 3, y: tall - 5 }, degrees(line, "EW")));
  }
  const lowest = y0 - (tall / 2 / wide) * span * shrink;
  for (let line = Math.ceil(lowest / step) * step; y(line) > 0; line += step) {
    net.push(svg("line", { x1: 0, x2: wide, y1: y(line), y2: y(line) }), svg("text", { x: 3, y: y(line) - 3 }, degrees(line, "NS")));
  }
  const km = (span * shrink * 111.2) / 5, round = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].findLast((one) => one <= km) ?? 0.1, bar = (round / (km * 5)) * wide;
  const most = Math.max(...places.map((place) => place.count));
  const dots = places.map((place) => {
    const words = `${count(place.count, "file")} near ${degrees(place.latitude, "NS")}, ${degrees(place.longitude, "EW")}`;
    const dot = svg("g", { role: "button", tabindex: "0", "aria-label": words, transform: `translate(${x(place.longitude)} ${y(place.latitude)})` },
      svg("circle", { class: "hit", r: 23 }), svg("circle", { class: "dot", r: 6 + 10 * Math.sqrt(place.count / most) }),
      svg("text", { class: "n", "text-anchor": "middle", dy: "0.35em" }, place.count > 1 ? String(place.count) : ""));
    dot.addEventListener("click", () => choose(place));
    dot.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(place); } });
    return dot;
  });
  return svg("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "group", "aria-label": "Where: places on a map", style: `max-width:${wide}px` }, ...net, ...dots,
    svg("path", { class: "bar", d: `M${wide - 10 - bar} ${tall - 14}v5h${bar}v-5` }), svg("text", { x: wide - 10 - bar / 2, y: tall - 18, "text-anchor": "middle" }, `${round} km`));
}

// ------------------------------------------------------------------------------------------- the curve along a video

/** The scores along a video as a slider: the moment marked, the cutoff dashed; a click or Enter plays from there. */
function curveOf(tile, [low, cutoff, high], play) {
  const points = tile.curve, length_s = Math.max(tile.duration_s ?? 0, points.at(-1)[0], 0.1);
  const top = Math.max(high, ...points.map(([, score]) => score)), base = Math.min(low, cutoff);
  const x = (time_s) => (100 * time_s) / length_s, y = (score) => 26 - 24 * Math.max(0, (score - base) / (top - base || 1));
  const line = points.map(([time_s, score], i) => `${i ? "L" : "M"}${x(time_s).toFixed(2)} ${y(score).toFixed(2)}`).join("");
  const needle = svg("line", { class: "needle", y1: 0, y2: 28, x1: x(tile.time_s), x2: x(tile.time_s) });
  const drawn = svg("svg", { viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": "true" },
    ...(tile.start_s === undefined ? [] : [svg("rect", { class: "span", x: x(tile.start_s), width: Math.max(0.8, x(tile.end_s) - x(tile.start_s)), y: 0, height: 28 })]),
    svg("path", { class: "area", d: `${line}L${x(points.at(-1)[0])} 28L${x(points[0][0])} 28Z` }),
    svg("path", { class: "edge", d: line }),
    svg("line", { class: "cut", x1: 0, x2: 100, y1: y(cutoff), y2: y(cutoff) }), needle);
  let at_s = tile.time_s;
  const move = (time_s) => {
    at_s = Math.min(length_s, Math.max(0, time_s));
    needle.setAttribute("x1", x(at_s));
    needle.setAttribute("x2", x(at_s));
    slider.setAttribute("aria-valuenow", at_s.toFixed(1));
    slider.setAttribute("aria-valuetext", clock(at_s));
  };
  const slider = h("div", {
    class: "curve", role: "slider", tabindex: "0", "aria-label": `How well each second of ${tile.name} matches; Enter plays from there`,
    "aria-valuemin": "0", "aria-valuemax": length_s.toFixed(1), title: "Click to play from there",
    onclick: (event) => {
      const box = slider.getBoundingClientRect();
      move((length_s * (event.clientX - box.left)) / box.width);
      play(at_s);
    },
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (step) move(at_s + step);
      else if (event.key === "Home") move(0);
      else if (event.key === "End") move(length_s - 1);
      else if (event.key === "Enter" || event.key === " ") play(at_s);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
  }, drawn);
  slider.move = move;
  move(at_s);
  return slider;
}

// ------------------------------------------------------------------------------------------------- videos that play

/** Clips in tiles: cut ahead for what is in view, one at a time, so that a hover plays at once. */
class Clips {
  constructor(server) {
    this.server = server;
    this.urls = new Map();
    this.queue = new Map();
  }

  span(tile, from_s) {
    if (from_s === undefined) return tile.clip;
    const start_s = Math.min(from_s, Math.max(0, (tile.duration_s ?? from_s + 1) - 0.5));
    return [Number(start_s.toFixed(2)), Number(Math.min(start_s + 10, Math.max(start_s + 0.5, tile.duration_s ?? start_s + 10)).toFixed(2))];
  }

  url(tile, from_s) {
    const [start_s, end_s] = this.span(tile, from_s), key = `${tile.path} ${start_s} ${end_s}`;
    if (!this.urls.has(key)) {
      const asked = this.server.url({ do: "clip", path: tile.path, start_s, end_s });
      asked.catch(() => this.urls.delete(key));
      this.urls.set(key, asked);
    }
    return this.urls.get(key);
  }

  want(item, tile) {
    this.queue.set(item, tile);
    this.work();
  }

  unwant(item) { this.queue.delete(item); }

  async work() {
    if (this.working) return;
    this.working = true;
    while (this.queue.size) {
      const [item, tile] = this.queue.entries().next().value;
      this.queue.delete(item);
      try {
        const url = await this.url(tile);
        if (!url.startsWith("blob:")) await (await fetch(url)).arrayBuffer(); // the app keeps it, and so does the browser
      } catch { /* said when somebody plays it */ }
    }
    this.working = false;
  }

  forget() { this.queue.clear(); }

  stop() { this.forget(); }

  /** Play while the mouse is over it. */
  hover(item, tile) {
    if (item.playing) return;
    item.hovered = true;
    this.play(item, tile);
  }

  /** The button: play or stop; what plays for the mouse alone goes on when that leaves. */
  toggle(item, tile) {
    if (item.hovered) item.hovered = false;
    else if (item.playing) this.end(item);
    else this.play(item, tile);
  }

  playFrom(item, tile, time_s) { this.end(item); this.play(item, tile, time_s); }

  async play(item, tile, from_s) {
    if (item.playing) return;
    const shot = item.querySelector(".shot"), video = h("video", { muted: true, loop: true, playsinline: true, autoplay: true, tabindex: "-1", "aria-hidden": "true" });
    video.muted = true;
    item.playing = video;
    item.classList.add("loading");
    try {
      const url = await this.url(tile, from_s);
      if (item.playing !== video) return; // it was left in the meantime
      video.src = url;
      shot.append(video);
      this.button(item, "pause");
      const [start_s] = this.span(tile, from_s), curve = item.querySelector(".curve");
      video.addEventListener("timeupdate", () => curve?.move(start_s + video.currentTime));
      video.addEventListener("playing", () => item.classList.add("playing"), { once: true });
      await video.play();
    } catch (error) {
      if (item.playing === video && error.name !== "AbortError") {
        this.end(item);
        shot.append(h("span", { class: "none", role: "alert" }, error.message));
      }
    } finally { item.classList.remove("loading"); }
  }

  end(item) {
    [item.playing, item.hovered] = [null, false];
    item.querySelector("video")?.remove();
    item.classList.remove("playing", "loading");
    this.button(item, "play");
  }

  button(item, name) { item.querySelector(".badge.play")?.replaceChildren(icon(name)); }
}

// ------------------------------------------------------------------------------------------------------ the lightbox

class Lightbox {
  constructor(page) {
    this.page = page;
    this.stage = h("div", { class: "stage" });
    this.side = h("div", { class: "side" });
    this.title = h("h2", { class: "heading", tabindex: "-1" });
    this.done = h("p", { role: "status", class: "dim" });
    this.dialog = h("dialog", {
      class: "lightbox", "aria-label": "Picture", onclose: () => this.closed(), onkeydown: (event) => this.key(event),
      onclick: (event) => event.target === this.dialog && this.close(),
    }, button("close", "Close", () => this.close(), { class: "round shut" }),
      h("div", { class: "frame" }, button("left", "Picture before", () => this.go(-1), { class: "round prev" }), this.stage,
        button("right", "Next picture", () => this.go(1), { class: "round next" })), this.side);
  }

  show(at, tile = this.page.tiles[at]) {
    if (!tile) return;
    [this.at, this.tile] = [at, tile];
    this.done.textContent = "";
    this.fillStage(tile);
    this.fillSide(tile);
    this.dialog.setAttribute("aria-label", tile.name);
    if (!this.dialog.open) this.dialog.showModal();
    this.title.focus({ preventScroll: true });
  }

  async fillStage(tile, from_s) {
    if (tile.clip) {
      const video = h("video", { controls: true, playsinline: true, autoplay: true, loop: from_s === undefined, "aria-label": `${tile.name} from ${clock(this.page.clips.span(tile, from_s)[0])}` });
      this.stage.replaceChildren(video);
      this.page.server.thumb(tile).then((url) => { if (url) video.poster = url; });
      try {
        video.src = await this.page.clips.url(tile, from_s);
        const [start_s] = this.page.clips.span(tile, from_s), curve = this.side.querySelector(".curve");
        video.addEventListener("timeupdate", () => curve?.move(start_s + video.currentTime));
        await video.play().catch(() => {}); // with sound a browser may want a click first; the controls are there
      } catch (error) { this.stage.replaceChildren(h("p", { class: "none" }, error.message)); }
      return;
    }
    const picture = h("img", { alt: tile.name, class: "small" });
    this.stage.replaceChildren(picture);
    const small = this.page.server.thumb(tile).then((url) => { if (url && !picture.src) picture.src = url; });
    try {
      const url = await this.page.server.url({ do: "picture", path: tile.path });
      const large = new Image();
      large.src = url;
      await large.decode();
      if (this.tile === tile) { picture.src = url; picture.classList.remove("small"); }
    } catch (error) {
      await small;
      if (this.tile === tile) this.done.textContent = `This is the small picture of the index: the file itself cannot be opened (${error.message})`;
    }
  }

  fillSide(tile) {
    const { page } = this, video = tile.time_s !== null, browsing = page.answer.browsing || tile.score === undefined || tile.score === null;
    const facts = [
      !browsing && ["Match", h("span", { class: "match" }, page.matchLine(tile).firstChild, `${tile.words}`)],
      !browsing && ["Cosine", tile.cosine.toFixed(3)],
      tile.odds && ["Chances", tile.odds],
      video && ["Time", tile.start_s === undefined ? clock(tile.time_s) : `${clock(tile.start_s)} to ${clock(tile.end_s)}, best at ${clock(tile.time_s)}`],
      dayOf(tile) && ["Taken", `${dayOf(tile)}, ${tile.taken_at.slice(11, 16)}`],
      typeof tile.latitude === "number" && ["Place", `${tile.latitude.toFixed(4)}, ${tile.longitude.toFixed(4)}`],
      ["Folder", tile.folder || "the library itself"],
      tile.camera && ["Camera", tile.camera],
      tile.width && ["Size", `${tile.width} × ${tile.height}${tile.size ? `, ${bytesOf(tile.size)}` : ""}`],
    ].filter(Boolean);
    this.title.textContent = tile.name;
    const act = (name, label, run, props = {}) => button(name, "", run, { class: "act", ...props }, label);
    const save = (request, name) => async () => {
      this.done.textContent = "One moment …";
      try { await page.download(request, name); this.done.textContent = `Saved as ${name}`; } catch (error) { this.done.textContent = error.message; }
    };
    const span = { path: tile.path, start_s: tile.start_s ?? tile.clip?.[0], end_s: tile.end_s ?? tile.clip?.[1] };
    const thumbs = browsing || this.at === null ? [] : [act("up", "Right", () => this.thumb(true), { class: "act yes" }), act("down", "Wrong", () => this.thumb(false), { class: "act no" })];
    fill(this.side, this.title,
      tile.curve && curveOf(tile, page.answer.kinds.frame.scale, (time_s) => this.fillStage(tile, time_s)),
      h("dl", {}, ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("div", { class: "acts" }, ...thumbs,
        act("similar", "Find similar", () => page.similar(tile)),
        !browsing && !tile.clip && act("filter", "Why this?", () => this.why(tile)),
        act("copy", "Copy path", async () => { await copyText(tile.path); this.done.textContent = `Copied: ${tile.path}`; }),
        act("download", "Download", save({ do: "file", path: tile.path }, tile.name)),
        tile.clip && act("clip", "Save clip", save({ do: "save_clip", ...span }, `${tile.name.replace(/\.[^.]*$/, "")} ${clock(span.start_s).replace(":", ".")}.mp4`)),
        this.drive = h("a", { class: "act", hidden: true, target: "_blank", rel: "noopener noreferrer" }, icon("drive"), "Open in Drive")),
      this.done, tile.stacked?.length ? this.stack(tile) : null);
    page.server.ask({ do: "facts", path: tile.path }).then(({ content }) => {
      if (!content.drive || this.tile !== tile) return;
      this.drive.href = content.drive;
      this.drive.hidden = false;
    }).catch(() => {}); // the file is gone: the stage says so
    if (this.at !== null) page.showMark(this.side, tile);
    this.dialog.querySelector(".prev").disabled = !this.at;
    this.dialog.querySelector(".next").disabled = this.at === null || this.at >= this.page.tiles.length - 1;
  }

  /** Lay over the picture what each patch does for the score: red where the match needs it. */
  async why(tile) {
    this.done.textContent = "Covering one patch after the other …";
    try {
      const { terms, yes, no } = this.page.request(0);
      const { content } = await this.page.server.ask({ do: "why", terms, yes, no, path: tile.path, time_s: tile.time_s });
      if (this.tile !== tile) return;
      const picture = this.stage.querySelector("img"), side = Math.min(picture.width, picture.height);
      const patches = content.pulls.flat().map((pull) => h("i", { style: `background:rgb(${pull > 0 ? "214 40 40" : "40 90 214"} / ${(0.75 * Math.abs(pull)).toFixed(2)})` }));
      this.stage.querySelector(".why")?.remove();
      this.stage.append(h("div", { class: "why", "aria-hidden": "true", style: `width:${side}px;height:${side}px;` +
        `left:${picture.offsetLeft + (picture.width - side) / 2}px;top:${picture.offsetTop + (picture.height - side) / 2}px;` +
        `grid-template-columns:repeat(${content.pulls.length},1fr)` }, patches,
      content.doubt && h("u", { style: `top:${100 * content.doubt[0]}%;left:${100 * content.doubt[1]}%` })));
      fill(this.done, h("span", {}, "Red: without this patch the match would be weaker; blue: stronger. "),
        content.doubt && h("b", {}, "Caution: taken alone, the framed half around the reddest patch would not be found. The score depends on it, but it may show another thing than the one you asked for."));
    } catch (error) { this.done.textContent = error.message; }
  }

  /** What is stacked under this tile, to be looked at one by one. */
  stack(tile) {
    const row = h("div", { class: "stack" });
    const draw = (tiles) => row.replaceChildren(h("h3", {}, count(tiles.length, "more like this", "more like this")),
      ...tiles.map((one) => {
        const picture = h("img", { alt: "" });
        this.page.server.thumb(one).then((url) => { if (url) picture.src = url; });
        return h("button", { type: "button", "aria-label": one.name, title: one.name, onclick: () => this.show(this.at, { ...one, stacked: tile.stacked }) }, picture);
      }));
    if (tile.time_s !== null) draw(tile.stacked.map((one) => ({ ...tile, ...one, clip: [Math.max(0, one.time_s - 1), Math.max(one.end_s, one.time_s + 3)] })));
    else this.page.server.ask({ do: "stack", paths: tile.stacked.map((one) => one.path) }).then(({ content }) => draw(content.tiles)).catch((error) => { this.done.textContent = error.message; });
    return row;
  }

  thumb(up) {
    this.page.thumb(this.at, up);
    this.page.showMark(this.side, this.tile);
  }

  async go(way) {
    const next = this.at + way;
    if (next >= this.page.tiles.length && this.page.tiles.length < this.page.answer.passing) await this.page.fetchMore();
    if (this.page.tiles[next]) this.show(next);
  }

  key(event) {
    event.stopPropagation();
    if (event.target.closest(".curve, video, select, input")) return;
    const does = {
      ArrowRight: () => this.go(1), ArrowLeft: () => this.go(-1), s: () => this.page.similar(this.tile),
      y: () => this.at !== null && this.thumb(true), n: () => this.at !== null && this.thumb(false),
    }[event.key];
    if (does && !event.ctrlKey && !event.metaKey) { event.preventDefault(); does(); }
  }

  close() { if (this.dialog.open) this.dialog.close(); }

  closed() {
    this.stage.replaceChildren(); // nothing plays on unseen
    this.page.list.children[this.at]?.querySelector(".open")?.focus();
  }
}

// ---------------------------------------------------------------------------- judging, one picture after another

class Judge {
  constructor(server) {
    this.server = server;
    this.progress = h("progress", { "aria-label": "Judged" });
    this.count = h("p", { class: "dim", role: "status", "aria-live": "polite" });
    this.question = h("div", { class: "question" });
    this.shown = h("div", { class: "shown" });
    this.name = h("p", { class: "dim" });
    this.notice = h("div", { class: "notice", role: "alert" });
    this.warning = h("p", { class: "warning" });
    this.yes = button("up", "", () => this.ask({ do: "answered", relevant: true }), { class: "act" }, "Yes (y)");
    this.no = button("down", "", () => this.ask({ do: "answered", relevant: false }), { class: "act" }, "No (n)");
    this.unsure = button("", "", () => this.ask({ do: "answered", relevant: "unsure" }), { class: "act" }, "Unsure (u)");
    this.before = button("back", "", () => this.ask({ do: "before" }), { class: "act" }, "Back (b)");
    this.root = h("section", {
      class: "clip-page", lang: "en", tabindex: "0", "aria-label": "Judge pictures: y is yes, n is no, u is unsure, b goes back",
      "data-lm-suppress-shortcuts": "true", onkeydown: (event) => this.key(event),
    }, h("div", { class: "judge" }, this.progress, this.question, this.shown, this.name,
      h("div", { class: "acts" }, this.yes, this.no, this.unsure, this.before), this.count, this.notice), this.warning);
  }

  start() { this.ask({ do: "task" }); }

  stop() {}

  key(event) {
    const does = { y: this.yes, j: this.yes, n: this.no, f: this.no, u: this.unsure, b: this.before }[event.key];
    if (!does || event.ctrlKey || event.metaKey || does.disabled) return;
    event.preventDefault();
    does.click();
  }

  async ask(request) {
    if (this.busy) return; // an answer is about the picture that is seen
    this.busy = true;
    try {
      this.show((await this.server.ask(request)).content);
      fill(this.notice);
    } catch (error) { fill(this.notice, h("p", {}, error.message)); } finally { this.busy = false; }
  }

  async show({ done, of, query, query_tile: asked, tile, next, summary, warning }) {
    [this.progress.max, this.progress.value] = [Math.max(1, of), done];
    this.warning.textContent = warning;
    this.count.textContent = `${done} of ${of} judged`;
    this.yes.disabled = this.no.disabled = this.unsure.disabled = !tile;
    if (!tile) {
      fill(this.question, h("h2", { class: "heading" }, "All done."));
      fill(this.shown, h("p", {}, summary));
      this.name.textContent = "";
      return;
    }
    const picture = h("img", { alt: tile.name }), of_query = asked && h("img", { alt: "" });
    fill(this.question, of_query, h("span", {}, asked ? "Does this show the same as " : "Is this ", h("b", {}, query), "?"));
    fill(this.shown, picture);
    this.name.textContent = tile.path + (tile.time_s === null ? "" : ` at ${clock(tile.time_s)}`);
    if (of_query) of_query.src = await this.server.thumb(asked);
    picture.src = await this.server.thumb(tile);
    next.forEach((one) => this.server.thumb(one)); // is there when its turn comes
  }
}

// -------------------------------------------------------------------------------------- a cutoff over judged scores

class Cut {
  constructor(server) {
    this.server = server;
    this.cutoff = h("input", { type: "range", step: "0.005", class: "long", "aria-label": "Cutoff", oninput: () => this.move() });
    this.read = h("span", { class: "num read" });
    this.query = h("select", { "aria-label": "Query", onchange: () => this.move() });
    this.rates = h("p", { role: "status", "aria-live": "polite" });
    this.plot = h("div", { class: "plot" });
    this.sides = h("div", { class: "sides" });
    this.notice = h("div", { class: "notice", role: "alert" });
    this.warning = h("p", { class: "warning" });
    this.root = h("section", { class: "clip-page", lang: "en", "aria-label": "Try cutoffs", "data-lm-suppress-shortcuts": "true" },
      h("div", { class: "bar filters" }, this.query, h("span", { class: "slide" }, h("span", {}, "Cutoff"), this.cutoff, this.read)),
      this.plot, this.rates, this.sides, this.notice, this.warning);
  }

  async start() {
    try {
      const { content } = await this.server.ask({ do: "table" });
      [this.cutoff.min, this.cutoff.max] = content.range.map(String);
      this.cutoff.value = String(content.cutoff);
      this.warning.textContent = content.warning;
      fill(this.query, h("option", { value: "" }, "all queries"), content.queries.map((query) => h("option", { value: query }, query)));
      await this.move();
    } catch (error) { fill(this.notice, h("p", {}, error.message)); }
  }

  stop() {}

  /** Show what the cutoff does; while one answer is awaited, only the last move counts. */
  async move() {
    this.read.textContent = Number(this.cutoff.value).toFixed(2);
    if (this.asking) { this.again = true; return; }
    this.asking = true;
    try {
      const { content } = await this.server.ask({ do: "cut", cutoff: Number(this.cutoff.value), query: this.query.value || null });
      const [precision, recall, f1] = content.rates;
      this.rates.textContent = `Precision ${precision.toFixed(2)}, recall ${recall.toFixed(2)}, F1 ${f1.toFixed(2)}; nearest to the cutoff:`;
      this.plot.innerHTML = content.plot; // drawn by histogram_svg, its words escaped
      fill(this.sides, this.side("accepted", content.accepted), this.side("rejected", content.rejected));
    } catch (error) { fill(this.notice, h("p", {}, error.message)); } finally { this.asking = false; }
    if (this.again) { this.again = false; this.move(); }
  }

  side(name, { count: number, tiles }) {
    return h("div", {}, h("h3", {}, `${name}: ${number.toLocaleString("en")}`), h("ul", { class: "tiles" }, tiles.map((tile) => {
      const picture = h("img", { alt: tile.name });
      this.server.thumb(tile).then((url) => { if (url) picture.src = url; });
      const ratio = Math.min(2.4, Math.max(0.6, (tile.width || 4) / (tile.height || 3)));
      return h("li", { class: "tile", style: `--r:${ratio.toFixed(3)}`, title: tile.path }, h("div", { class: "shot" }, picture),
        h("div", { class: "cap" }, h("div", {}, tile.relevant ? "✓ relevant" : "✗ irrelevant", ` ${tile.score.toFixed(2)}`), h("div", { class: "dim" }, tile.query)));
    })));
  }
}

export default {
  render({ model, el }) {
    return mount(el, kernelServer(model), model.get("options"));
  },
};
