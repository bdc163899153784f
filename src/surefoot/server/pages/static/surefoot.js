// What the pages do beyond what the server rendered. Without this script they still work; they are not live then.
(() => {
  const $ = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Times in the viewer's zone; the UTC they came in stays on hover.
  const shown = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  });
  const localise = (root) => {
    for (const time of $("time:not([data-ago]):not([data-local])", root)) {
      time.dataset.local = "";
      time.textContent = shown.format(new Date(time.dateTime));
    }
  };

  // Light, dark, or what the machine says.
  const button = document.getElementById("theme");
  const themes = ["", "light", "dark"];
  const names = { "": "Theme: auto", light: "Theme: light", dark: "Theme: dark" };
  const name = () => { button.textContent = names[document.documentElement.dataset.theme || ""]; };
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const next = themes[(themes.indexOf(root.dataset.theme || "") + 1) % themes.length];
    if (next) { root.dataset.theme = next; localStorage.setItem("surefoot-theme", next); }
    else { delete root.dataset.theme; localStorage.removeItem("surefoot-theme"); }
    name();
    document.dispatchEvent(new Event("surefoot:theme"));
  });

  // The key / leads to the search box, unless somebody types.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const search = document.getElementById("search");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // Whether the page is live, in words and shape.
  const live = document.getElementById("live");
  const say = (state, words) => {
    if (!live || live.dataset.state === state) return;
    live.dataset.state = state;
    live.querySelector("span").textContent = words;
  };
  document.body.addEventListener("htmx:sseOpen", () => say("on", "Live"));
  document.body.addEventListener("htmx:sseError", () => say("off", "Not live: the server does not answer"));
  document.body.addEventListener("htmx:sseClose", () => say("off", "Not live: signed out"));

  // Browsers keep six connections to a server: a page that nobody sees gives its own back until it is seen again.
  if (window.htmx) htmx.createEventSource = (url) => {
    const listeners = new Set();
    let source = null, ended = false;
    const outer = {
      readyState: EventSource.CONNECTING,
      addEventListener(name, listener) { listeners.add([name, listener]); source?.addEventListener(name, listener); },
      removeEventListener(name, listener) { source?.removeEventListener(name, listener); },
      close() { ended = true; outer.readyState = EventSource.CLOSED; source?.close(); },
    };
    const open = () => {
      source = new EventSource(url);
      source.onopen = (event) => { outer.readyState = EventSource.OPEN; outer.onopen?.(event); };
      source.onerror = (event) => {
        outer.readyState = source.readyState;
        // Its owner makes another one then.
        ended ||= source.readyState === EventSource.CLOSED;
        outer.onerror?.(event);
      };
      for (const [name, listener] of listeners) source.addEventListener(name, listener);
    };
    document.addEventListener("visibilitychange", () => {
      if (ended) return;
      source?.close();
      if (document.hidden) { source = null; say("off", "Not live while hidden"); } else open();
    });
    if (!document.hidden) open();
    return outer;
  };

  // What is open or focused in a part of the page stays so when the part is renewed.
  const nameOf = (element) => element.id || element.getAttribute("href") || element.textContent;
  const held = new WeakMap();
  document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
    const part = event.target, active = document.activeElement;
    const focused = part.contains(active) ? [active.tagName, nameOf(active)] : null;
    held.set(part, { open: $("details[open] > summary", part).map(nameOf), focused });
  });
  document.body.addEventListener("htmx:sseMessage", (event) => {
    const part = event.target, { open = [], focused = null } = held.get(part) || {};
    for (const summary of $("details > summary", part)) if (open.includes(nameOf(summary))) summary.parentElement.open = true;
    if (focused && !part.contains(document.activeElement)) {
      $(focused[0], part).find((one) => nameOf(one) === focused[1])?.focus({ preventScroll: true });
    }
    localise(part);
    tell();
  });
  document.body.addEventListener("htmx:afterSwap", (event) => localise(event.target));
  localise(document);

  // The browser's tab says what is wrong; of a page that nobody looks at it is asked once a minute.
  const title = document.title;
  const tell = (from = document) => {
    const said = from.querySelector("[data-tab]")?.dataset.tab;
    document.title = said ? `${said} – ${title}` : title;
  };
  tell();
  setInterval(async () => {
    if (!document.hidden || !document.querySelector("[data-tab]")) return;
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) tell(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }, 60_000);
})();
