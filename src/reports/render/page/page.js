"use strict";
(() => {
  const key = (cell) => {
    const value = cell.dataset.v;
    if (value === undefined) return cell.textContent.toLowerCase();
    return /^-?[0-9.]+$/.test(value) ? Number(value) : value;
  };
  const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  const sort = (table, head) => {
    const place = head.cellIndex;
    const first = head.classList.contains("n") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * order(key(a.cells[place]), key(b.cells[place])));
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table")) {
    const rows = table.tBodies[0].rows;
    if (rows.length < 2) continue;
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, head));
      head.replaceChildren(button);
    }
    if (rows.length < 12) continue;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "Filter rows";
    field.setAttribute("aria-label", "Filter rows");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.closest("section").prepend(field);
  }
  const figures = document.querySelector("#figures table");
  if (!figures) return;
  const names = [...figures.tHead.rows[0].cells].map((head) => head.textContent);
  const lines = [...figures.tBodies[0].rows].map((row) =>
    [...row.cells].map((cell, place) => place ? names[place] + " " + cell.textContent : cell.textContent).join(" \u00b7 "));
  for (const chart of document.querySelectorAll(".chart")) {
    const read = document.createElement("p");
    read.className = "read";
    read.setAttribute("aria-live", "polite");
    read.textContent = "Point at a bar, or use the arrow keys, for its figures.";
    chart.append(read);
    let at = -1;
    for (const plot of chart.querySelectorAll(".plot")) {
      const left = Number(plot.dataset.left), right = Number(plot.dataset.right), count = Number(plot.dataset.points);
      const show = (place) => {
        at = Math.min(count - 1, Math.max(0, place));
        read.textContent = lines[at];
        plot.classList.add("on");
        plot.style.setProperty("--at", left + (right - left) * (at + 0.5) / count + "%");
      };
      plot.tabIndex = 0;
      plot.setAttribute("role", "group");
      plot.setAttribute("aria-label", chart.querySelector("h2").textContent + ": arrow keys read the figures");
      plot.addEventListener("pointermove", (event) => {
        const box = plot.getBoundingClientRect();
        const part = (event.clientX - box.left) / box.width * 100;
        show(Math.floor((part - left) / (right - left) * count));
      });
      plot.addEventListener("pointerleave", () => plot.classList.remove("on"));
      plot.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        show(at + step);
      });
    }
  }
})();
