/**
 * <streampay-donate campaign="cmp_…" mode="inline | modal | button" label="…"><a href="…">Give</a></streampay-donate>
 * Places a frame or a link, and nothing else: no cookie, no storage, no style on your page. Apache-2.0, StreamPay.
 */
const HOME = new URL(import.meta.url).origin;
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";
const [LEAST, MOST] = [120, 4000];
const CSS = `:host{display:block}:host([hidden]){display:none}
iframe{display:block;box-sizing:border-box;width:100%;border:1px solid #8883;border-radius:16px;min-height:var(--streampay-height,700px)}
@media(max-width:480px){iframe{min-height:var(--streampay-height,880px)}}
::slotted(a),.link{font-size:.875em;display:inline-block;margin-block-start:.5em}
button,.go{font:inherit;font-weight:650;cursor:pointer;min-height:44px;box-sizing:border-box;padding:10px 20px;border:0;border-radius:12px;color:#fff;background:#173f8a;display:inline-block;text-decoration:none}
:focus-visible{outline:3px solid #6b9bff;outline-offset:2px}
dialog{width:min(34rem,100vw);max-width:100vw;max-height:100dvh;box-sizing:border-box;padding:12px;border:0;border-radius:20px;overflow:auto;background:Canvas;color:CanvasText}
dialog::backdrop{background:#0009}dialog iframe{border:0}
.close{display:block;min-width:44px;margin:0 0 8px auto;padding:0;color:inherit;background:none;font-size:1.5rem}`;

class Donate extends HTMLElement {
  connectedCallback() {
    window.addEventListener("message", this);
    if (this.shadowRoot) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    const mode = this.getAttribute("mode");
    if (mode === "button") this.shadowRoot.append(this.link("go", () => this.tell("opened")));
    else this.shadowRoot.append(...(mode === "modal" ? this.modal() : [this.frame("lazy")]), this.plain());
  }

  disconnectedCallback() {
    window.removeEventListener("message", this);
  }

  get label() {
    return this.getAttribute("label") || this.querySelector("a")?.textContent.trim() || "Donate";
  }

  address(isFramed) {
    const url = new URL(`/donate/${encodeURIComponent(this.getAttribute("campaign") ?? "")}`, HOME);
    const lang = this.closest("[lang]")?.lang.split("-")[0];
    if (lang) url.searchParams.set("lang", lang);
    if (isFramed) url.search = new URLSearchParams([...url.searchParams, ["embed", 1], ["host", location.origin]]);
    return url.href;
  }

  make(name, values) {
    return Object.assign(document.createElement(name), values);
  }

  link(className, onclick = null) {
    return this.make("a", { className, href: this.address(false), textContent: this.label, onclick });
  }

  /** The quiet link under the frame: the page's own, else one of ours. Blockers may hide the frame, never this. */
  plain() {
    return this.querySelector("a") ? document.createElement("slot") : this.link("link");
  }

  frame(loading) {
    const iframe = this.make("iframe", { title: this.label, loading, src: this.address(true) });
    iframe.setAttribute("sandbox", SANDBOX);
    return (this.iframe = iframe);
  }

  modal() {
    const opener = this.make("button", { type: "button", textContent: this.label });
    const dialog = (this.dialog = this.make("dialog", { ariaLabel: this.label }));
    const close = this.make("button", { type: "button", className: "close", textContent: "\u00d7", ariaLabel: this.getAttribute("close-label") || "Close" });
    close.onclick = () => dialog.close();
    dialog.onclose = () => this.tell("close");
    dialog.append(close);
    opener.onclick = () => {
      if (!this.iframe) dialog.append(this.frame("eager"));
      dialog.showModal();
    };
    return [opener, dialog];
  }

  /** Take a message only from our own frame, of our own origin, in the version that this script knows. */
  handleEvent({ origin, source, data }) {
    if (origin !== HOME || !this.iframe || source !== this.iframe.contentWindow || data?.v !== 1) return;
    const type = String(data.type).replace("streampay:", "");
    if (type === "resize") {
      if (!Number.isFinite(data.height)) return;
      const height = Math.min(MOST, Math.max(LEAST, Math.ceil(data.height) + 2));
      this.iframe.style.height = `${height}px`;
      this.tell("resize", { height });
    } else if (type === "close") this.dialog?.close();
    else if (["ready", "opened", "completed"].includes(type)) {
      if (type === "opened") this.iframe.style.minHeight = 0; // what follows is shorter than the form
      this.tell(type);
    }
  }

  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(`streampay:${type}`, { bubbles: true, composed: true, detail }));
  }
}

if (!customElements.get("streampay-donate")) customElements.define("streampay-donate", Donate);
