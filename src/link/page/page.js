// Shows the lines as they come. Everything is set as text: a line is never markup.
"use strict";
const list = document.getElementById("lines");
const part = (kind, text) => {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  return span;
};
const show = (lines) => {
  const rows = lines.map((line) => {
    const row = document.createElement("li");
    row.dataset.id = line.id;
    row.dir = "auto";
    row.append(part("platform", line.platform));
    for (const badge of line.badges || []) row.append(part("badge", badge));
    row.append(part("name", line.name), part("text", line.text));
    return row;
  });
  list.replaceChildren(...rows);
};
new EventSource("lines" + location.search).addEventListener("message", (event) => show(JSON.parse(event.data)));
