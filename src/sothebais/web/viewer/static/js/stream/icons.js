// The few marks of the player, drawn in one stroke as the crest is.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  play: ["M8 5.5v13l10.5-6.5z"],
  pause: ["M8.5 6v12", "M15.5 6v12"],
  sound: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", "M15.5 9a4.2 4.2 0 0 1 0 6", "M18 6.5a7.8 7.8 0 0 1 0 11"],
  silent: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", "M16 9.5l5 5", "M21 9.5l-5 5"],
  captions: ["M3.5 5.5h17v13h-17z", "M10.2 10.6a2 2 0 1 0 0 2.8", "M16.7 10.6a2 2 0 1 0 0 2.8"],
  pip: ["M3.5 5.5h17v13h-17z", "M12.5 12h5.5v4h-5.5z"],
  full: ["M4 9V4.5h5", "M15 4.5h5V9", "M20 15v4.5h-5", "M9 19.5H4V15"],
  small: ["M9 4.5V9H4", "M20 9h-5V4.5", "M15 19.5V15h5", "M4 15h5v4.5"],
};

export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("class", "picture-icon");
  for (const line of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    made.append(path);
  }
  return made;
}
