import { useEffect, useLayoutEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Rates } from "./rates";

const HEIGHT = 64;

/** A line without axes, as wide as there is room. Default export: it is loaded when it is drawn. */
export default function Plot({ rates }: { rates: Rates }) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    const drawn = new uPlot(options(element), [[], []], element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const stopWatchingTheme = onThemeChange(() => drawn.redraw(false, false));
    return () => {
      resized.disconnect();
      stopWatchingTheme();
      drawn.destroy();
      plot.current = null;
    };
  }, []);

  useEffect(() => {
    plot.current?.setData([[...rates.seconds], [...rates.rowsPerSecond]]);
  }, [rates]);

  return <div aria-hidden="true" ref={holder} />;
}

function options(element: HTMLElement): uPlot.Options {
  // a canvas knows no light-dark(): the colour that the element has is asked for at each drawing
  const colour = () => getComputedStyle(element).color;
  return {
    width: element.clientWidth || 200,
    height: HEIGHT,
    padding: [4, 1, 1, 1],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: true }, y: { range: (_plot, _least, most) => [0, Math.max(1, most) * 1.08] } },
    series: [
      {},
      {
        stroke: colour,
        width: 1.5,
        points: { show: false },
        fill: () => colour().replace("rgb(", "rgba(").replace(")", ", 0.12)"),
        paths: uPlot.paths.spline?.() ?? null,
      },
    ],
  } as uPlot.Options;
}

function onThemeChange(redraw: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = new MutationObserver(redraw);
  dark.addEventListener("change", redraw);
  chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", redraw);
    chosen.disconnect();
  };
}
