"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Light and dark: the system's choice until the button is used.
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("fretsaw-theme", value);
      return localStorage.getItem("fretsaw-theme");
    } catch {
      return null; // a page opened from a file may have no storage
    }
  };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  all(".theme").forEach((button) => button.addEventListener("click", () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    remembered(root.dataset.theme);
  }));

  // Copying; the second way serves browsers that keep the clipboard from local files.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const box = document.createElement("textarea");
      box.value = text;
      box.style.cssText = "position:fixed;opacity:0";
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      return done;
    }
  };
  all(".copy").forEach((button) => button.addEventListener("click", async () => {
    const label = button.textContent;
    button.textContent = (await copy(button.dataset.copy)) ? "Copied" : "The browser refused";
    setTimeout(() => { button.textContent = label; }, 1600);
  }));

  // A card of the graph opens the step that it stands for; printing opens nothing.
  const openTarget = () => {
    const target = location.hash.startsWith("#step-") && document.querySelector(location.hash);
    if (target) target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  // Plots.
  const scale = ([low, high, isLog]) => (value) => isLog
    ? Math.log(value / low) / Math.log(high / low)
    : (value - low) / (high - low);
  const unscale = ([low, high, isLog]) => (share) => isLog
    ? low * (high / low) ** share
    : low + (high - low) * share;
  const number = (value) => {
    const size = Math.abs(value);
    if (size && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
    return value.toLocaleString("en", { maximumSignificantDigits: size >= 1e4 ? 7 : 4 }).replace("-", "−");
  };
  const smooth = (values, weight) => {
    const running = (list) => {
      let [total, norm] = [0, 0];
      return list.map((value) => {
        if (value !== null) [total, norm] = [weight * total + value, weight * norm + 1];
        return [total, norm];
      });
    };
    const forward = running(values);
    const backward = running([...values].reverse()).reverse();
    return values.map((value, i) => (value === null
      ? null
      : (forward[i][0] + backward[i][0] - value) / (forward[i][1] + backward[i][1] - 1)));
  };

  const plots = all(".plot").filter((plot) => plot.querySelector(".figures")).map((element) => {
    const data = JSON.parse(element.querySelector(".figures").textContent);
    const plot = { element, data, well: element.querySelector(".well"), x: scale(data.x), y: scale(data.y), hidden: new Set() };
    plot.lines = data.c.map((curve) => (curve.s ? smooth(curve.y, data.w) : curve.y));
    return plot;
  });

  const redraw = (plot, weight) => {
    plot.data.c.forEach((curve, index) => {
      if (!curve.s) return;
      const line = plot.lines[index] = smooth(curve.y, weight);
      let pen = "M";
      const path = line.map((value, i) => {
        if (value === null || (plot.data.y[2] && value <= 0)) { pen = "M"; return ""; }
        const point = `${pen}${(plot.x(curve.x[i]) * 1000).toFixed(1)} ${((1 - plot.y(value)) * 1000).toFixed(1)}`;
        pen = "L";
        return point;
      }).join("");
      const drawn = plot.element.querySelector(`.smooth[data-curve="${index}"]`);
      if (drawn) drawn.setAttribute("d", path);
    });
  };
  all(".smoothing input").forEach((slider) => slider.addEventListener("input", () => {
    all("output", slider.closest(".part")).forEach((output) => { output.textContent = Number(slider.value).toFixed(2); });
    plots.filter((plot) => plot.data.w).forEach((plot) => redraw(plot, Number(slider.value)));
  }));

  all(".toggle").forEach((button) => button.addEventListener("click", () => {
    const figure = button.closest("figure");
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    all(`.plot [data-curve="${button.dataset.curve}"]`, figure).forEach((path) => path.classList.toggle("off", !isOn));
    const plot = plots.find((one) => figure.contains(one.element));
    if (plot) plot.hidden[isOn ? "delete" : "add"](Number(button.dataset.curve));
  }));

  const nearest = (xs, wanted) => {
    let low = 0;
    let high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < wanted) low = middle; else high = middle;
    }
    return Math.abs(xs[low] - wanted) <= Math.abs(xs[high] - wanted) ? low : high;
  };
  const add = (parent, tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const clear = (plot) => all(".cross,.at,.readout", plot.well).forEach((mark) => mark.remove());

  const point = (plot, wanted, isOwn) => {
    clear(plot);
    const share = plot.x(wanted);
    if (!(share >= 0 && share <= 1)) return;
    add(plot.well, "div", "cross").style.left = `${share * 100}%`;
    const card = document.createElement("div");
    card.className = "readout";
    add(card, "p", "", `${plot.data.xl || "x"} ${number(wanted)}`);
    plot.data.c.forEach((curve, index) => {
      if (plot.hidden.has(index) || !curve.x.length) return;
      if (wanted > curve.x[curve.x.length - 1] || wanted < curve.x[0]) return;
      const i = nearest(curve.x, wanted);
      const value = plot.lines[index][i];
      if (value === null) return;
      const dot = add(plot.well, "span", `at ${curve.k}`);
      dot.style.left = `${plot.x(curve.x[i]) * 100}%`;
      dot.style.top = `${(1 - plot.y(value)) * 100}%`;
      const row = add(card, "div", curve.k);
      add(row, "i");
      add(row, "span", "", curve.n);
      add(row, "b", "", number(value));
    });
    if (isOwn || plot.data.c.length < 9) plot.well.append(card);
    if (share > 0.5) card.style.right = `${(1 - share) * 100 + 3}%`;
    else card.style.left = `${share * 100 + 3}%`;
  };
  plots.forEach((plot) => {
    const group = plot.element.dataset.link
      ? plots.filter((other) => other.element.dataset.link === plot.element.dataset.link)
      : [plot];
    plot.well.addEventListener("pointermove", (event) => {
      const box = plot.well.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      let wanted = unscale(plot.data.x)(share);
      if (plot.element.dataset.link === "step") wanted = Math.round(wanted);
      group.forEach((other) => point(other, wanted, other === plot));
    });
    plot.well.addEventListener("pointerleave", () => group.forEach(clear));
  });

  // Tables sort by a click on a header; a third click gives the order of the run again.
  all("table.values").forEach((table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    if (original.length < 3) return;
    const key = (row, column) => {
      const cell = row.cells[column];
      const text = (cell && (cell.lastChild ? cell.lastChild.textContent : cell.textContent)) || "";
      const value = parseFloat(text.replace(/,/g, "").replace("−", "-"));
      return cell && cell.classList.contains("n") ? (Number.isNaN(value) ? -Infinity : value) : text;
    };
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "" }[header.getAttribute("aria-sort")] ?? "ascending";
        all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
        const rows = [...original];
        if (next) {
          header.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          rows.sort((a, b) => {
            const [x, y] = [key(a, column), key(b, column)];
            return sign * (typeof x === "number" && typeof y === "number" ? x - y || 0 : String(x).localeCompare(String(y), "en", { numeric: true }));
          });
        }
        body.append(...rows);
      });
    });
  });
})();
