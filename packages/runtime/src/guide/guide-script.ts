/**
 * The guide's only script: a copy button on every sample that is there to be used. The page is whole without it. The clipboard API is there on
 * https and on this machine only, so that an address in plain http needs the older way.
 */
export const GUIDE_SCRIPT = `
const copied = document.getElementById("copied");
const copyOldWay = (code) => {
  const selection = getSelection();
  selection.selectAllChildren(code);
  const done = document.execCommand("copy");
  if (done) selection.removeAllRanges();
  return done;
};
const copy = async (code) => {
  if (!navigator.clipboard) return copyOldWay(code);
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    return copyOldWay(code);
  }
};
for (const figure of document.querySelectorAll("figure.code:not(.json)")) {
  const caption = figure.querySelector("figcaption");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy: " + caption.textContent);
  button.addEventListener("click", async () => {
    const done = await copy(figure.querySelector("code"));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    copied.textContent = done ? "Copied." : "Selected. Press Ctrl+C to copy.";
    setTimeout(() => {
      button.textContent = "Copy";
      copied.textContent = "";
    }, 2000);
  });
  caption.append(button);
}
`;
