// Before anything is drawn, so that a dark room does not see a bright page first.
(() => {
  const kept = localStorage.getItem("surefoot-theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
