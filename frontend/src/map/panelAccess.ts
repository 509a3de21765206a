/** Kepler's own panel for keyboards and screen readers: it makes plain blocks of what is pressed, and leaves fields unnamed. */
import { texts } from "../texts";

/** Controls that show a value, and not what it is a value of. */
const VALUES = ".dropdown-select, .item-selector__dropdown, .chickleted-input, .color-selector__selector, .color-range-selector";
/** What Kepler lets only a mouse press. */
const PRESSED = `.side-panel__tab, .layer-panel-toggle-option, .dataset-action, .panel--header__action, .layer-config-group__label, ${VALUES}`;
/** Blocks that are dragged with a mouse, said to be buttons; there are buttons in them. */
const DRAGGED = ".sortable-layer-item, .sortable-layer-items, [aria-roledescription=sortable]";
const FIELDS = "input:not([type=hidden]), textarea";
const MARK = "data-pressed-by-key";

/** What of a block is for the eye or the mouse only. */
const ASIDE = "style, [data-id=tooltip], [id^=DndDescribedBy]";
const LABELS = "label, .side-panel-panel__header__title, .layer-config-group__label, .panel-title";

/** The words in `block`, without what is aside; up to `end` where it is given. */
function wordsOf(block: Element, end?: Element): string[] {
  const words: string[] = [];
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (end && !(node.compareDocumentPosition(end) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
    const word = node.textContent?.trim();
    if (word && !node.parentElement?.closest(ASIDE)) words.push(word);
  }
  return words;
}

/** The nearest words before a control, a label's first. */
function wordsBefore(control: Element): string {
  for (let around = control.parentElement; around && !around.matches(".side-panel__content"); around = around.parentElement) {
    const labels = [...around.querySelectorAll(LABELS)].filter(
      (label) => !label.contains(control) && label.compareDocumentPosition(control) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    const words = labels.map((label) => wordsOf(label).join(" ")).filter(Boolean);
    const last = words.at(-1) ?? wordsOf(around, control).at(-1);
    if (last) return last;
  }
  return "";
}

/** The words of Kepler's hint on `control`, which it shows to a mouse. */
function hintOf(control: Element): string {
  const own = control.querySelector("[data-id=tooltip] span");
  const id = control.getAttribute("data-for");
  return (own ?? (id ? document.getElementById(id)?.querySelector("span") : null))?.textContent?.trim() ?? "";
}

function nameOf(control: Element): string {
  const layer = control.closest(".layer-panel")?.querySelector<HTMLInputElement>(".layer__title__editor")?.value;
  const words = wordsOf(control.matches(".dataset-action") ? control.parentElement! : control).join(", ");
  const before = !words || control.matches(VALUES) ? wordsBefore(control) : "";
  const said = hintOf(control) || [before, words].filter(Boolean).join(": ");
  return [said, layer].filter(Boolean).join(", ");
}

function isNamed(field: HTMLInputElement): boolean {
  return Boolean(field.getAttribute("aria-label") || [...(field.labels ?? [])].some((label) => wordsOf(label).length));
}

function mend(panel: Element): void {
  for (const block of panel.querySelectorAll(DRAGGED)) {
    for (const attribute of ["role", "tabindex", "aria-roledescription", "aria-describedby", "aria-disabled"]) block.removeAttribute(attribute);
  }
  for (const control of panel.querySelectorAll(PRESSED)) {
    if (control.parentElement?.closest(`[${MARK}], button`)) continue;
    const name = nameOf(control);
    if (control.getAttribute("aria-label") !== name) control.setAttribute("aria-label", name);
    if (control.hasAttribute(MARK)) continue;
    control.setAttribute(MARK, "");
    control.setAttribute("role", "button");
    control.setAttribute("tabindex", "0");
  }
  // Kepler takes its own buttons out of the order of the tab key.
  for (const button of panel.querySelectorAll("button[tabindex='-1']")) button.setAttribute("tabindex", "0");
  for (const field of panel.querySelectorAll<HTMLInputElement>(FIELDS)) {
    if (field.matches(".layer__title__editor")) field.setAttribute("aria-label", texts.map.layerName);
    else if (!isNamed(field)) field.setAttribute("aria-label", wordsBefore(field) || texts.map.panel);
  }
}

/** A list that Kepler has opened takes the keys, which go through it. */
function enterList(frame: Element): void {
  for (const list of frame.querySelectorAll(".ReactModal__Content")) list.setAttribute("aria-label", texts.map.panelList);
  for (const list of frame.querySelectorAll(".list-selector")) list.setAttribute("tabindex", "0");
  const search = frame.querySelector<HTMLInputElement>(`[data-tippy-root] .typeahead__input:not([${MARK}])`);
  search?.setAttribute(MARK, "");
  search?.focus();
}

/** Keeps what Kepler draws in `frame` usable without a mouse, until the returned function is called. */
export function keepUsable(frame: Element): () => void {
  let waiting = 0;
  const look = (): void => {
    waiting = 0;
    const canvas = frame.querySelector("[id$=deckgl-overlay-wrapper]");
    canvas?.setAttribute("role", "application");
    canvas?.setAttribute("aria-label", texts.map.canvas);
    const panel = frame.querySelector(".side-panel--container");
    if (panel) mend(panel);
    enterList(frame);
  };
  const observer = new MutationObserver(() => {
    waiting ||= requestAnimationFrame(look);
  });
  const press = (event: Event): void => {
    const { key, target } = event as KeyboardEvent;
    if ((key !== "Enter" && key !== " ") || !(target instanceof HTMLElement) || !target.hasAttribute(MARK)) return;
    event.preventDefault();
    target.click();
  };
  observer.observe(frame, { childList: true, characterData: true, subtree: true });
  frame.addEventListener("keydown", press);
  look();
  return () => {
    observer.disconnect();
    frame.removeEventListener("keydown", press);
    cancelAnimationFrame(waiting);
  };
}
