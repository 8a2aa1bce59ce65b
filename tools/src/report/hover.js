// Values under the pointer. The page is complete without this.
"use strict";
for (const box of document.querySelectorAll(".hover")) {
  const curves = JSON.parse(box.querySelector("script").textContent);
  const unit = box.dataset.unit;
  for (const plot of box.querySelectorAll(".plot")) {
    const cursor = plot.appendChild(document.createElement("div"));
    const readout = plot.appendChild(document.createElement("div"));
    cursor.className = "cursor";
    readout.className = "readout";
    const { left, right, from, to } = Object.fromEntries(Object.entries(plot.dataset).map(([k, v]) => [k, +v]));
    const hide = () => { cursor.style.display = readout.style.display = "none"; };
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("pointermove", (event) => {
      const area = plot.getBoundingClientRect();
      const at = (event.clientX - area.left) / area.width;
      if (!(at >= left && at <= right)) return hide();
      const time = from + ((at - left) / (right - left)) * (to - from);
      readout.replaceChildren(line(`${Math.round(time) > 0 ? "+" : ""}${Math.round(time)} ms`, ""));
      for (const curve of curves) {
        const row = line(curve.name, `${curve.v[nearest(curve.t, time)] ?? ""} ${unit}`);
        row.firstChild.style.color = `var(${curve.ink === "--twin" ? "--muted" : curve.ink})`;
        readout.append(row);
      }
      cursor.style.left = `${100 * at}%`;
      cursor.style.display = readout.style.display = "block";
      readout.style.left = at < 0.55 ? `calc(${100 * at}% + 12px)` : "auto";
      readout.style.right = at < 0.55 ? "auto" : `calc(${100 * (1 - at)}% + 12px)`;
    });
  }
}
function line(name, value) {
  const row = document.createElement("div");
  for (const words of [name, value]) row.appendChild(document.createElement("span")).textContent = words;
  return row;
}
function nearest(times, time) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1; else high = middle;
  }
  return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
}
