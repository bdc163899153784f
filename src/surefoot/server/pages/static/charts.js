// All evidence of a gate together over time, against the line at which it halts. The curves below it need no script.
(() => {
  const colour = (name) => {
    // A canvas knows no light-dark(): a probe tells what the page makes of it.
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const kept = new Map();
  const utc = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  // Where nobody points, the legend tells of the newest point.
  const newest = (plot, value, series) => value ?? plot.data[series].at(-1);
  const size = (box) => ({ width: Math.max(220, box.clientWidth), height: 208 });
  const draw = (box) => {
    const { at_s, times, halt } = JSON.parse(box.dataset.chart);
    kept.get(box)?.destroy();
    const grid = { stroke: colour("--rule"), width: 1 };
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
    const day = new Intl.DateTimeFormat(undefined, { month: "2-digit", day: "2-digit" });
    const said = (_, ticks) => ticks.map((tick, index) => {
      const at = new Date(tick * 1000);
      const before = index ? day.format(new Date(ticks[index - 1] * 1000)) : "";
      return clock.format(at) + (day.format(at) === before ? "" : `\n${day.format(at)}`);
    });
    const axis = { stroke: colour("--soft"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const options = {
      ...size(box), legend: { live: true }, cursor: { y: false },
      scales: { y: { distr: 3, log: 10, range: (_, low, high) => [Math.min(0.5, low), Math.max(halt * 2, high * 1.5)] } },
      axes: [{ ...axis, values: said }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : `${+tick.toPrecision(2)} ×`)) }],
      series: [
        { label: "At", value: (plot, at, series) => {
          const when = new Date(newest(plot, at, series) * 1000);
          return `${day.format(when)} ${clock.format(when)} (${utc.format(when)} UTC)`;
        } },
        { label: "Likelier if the release is worse", stroke: colour("--busy"), width: 2, points: { show: false }, value: (plot, value, series) => `${newest(plot, value, series).toPrecision(3)} ×` },
        { label: "Halts at", stroke: colour("--bad"), width: 1.5, dash: [6, 4], points: { show: false }, value: () => `${Math.round(halt)} ×` },
      ],
    };
    kept.set(box, new uPlot(options, [at_s, times, at_s.map(() => halt)], box));
  };
  const drawAll = () => {
    for (const box of kept.keys()) if (!box.isConnected) { kept.get(box).destroy(); kept.delete(box); }
    document.querySelectorAll("[data-chart]").forEach(draw);
  };
  addEventListener("load", drawAll);
  document.addEventListener("surefoot:theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.body.addEventListener("htmx:sseMessage", (event) => event.target.querySelectorAll?.("[data-chart]").forEach(draw));
  addEventListener("resize", () => {
    for (const [box, plot] of kept) plot.setSize(size(box));
  });
})();
