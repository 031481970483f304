/**
 * The browser test wallet: a Wallet Standard wallet that really signs, for the offline dev chain and for nothing else.
 *
 * Its key lies open in this origin's localStorage, so it must never hold anything of worth; the gateway serves this
 * script in test mode on a local chain only. Messages: https://solana.com/docs/core/transactions (wire form).
 */
(() => {
  const { rpc, mints } = document.currentScript.dataset;
  const MINTS = Object.entries(JSON.parse(mints || "{}"));
  const CHAIN = "solana:localnet";
  const STORE = "streampay-test-wallet";
  const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
  const SYSTEM = "11111111111111111111111111111111";
  const TOKENS = ["TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"];
  const LAMPORTS = 1_000_000_000n;
  const WAIT_MS = 10_000;
  const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const ICON =
    "data:image/svg+xml;base64," +
    btoa(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#ffd84d"/>' +
        '<path d="M8 10h16v4H8zm0 7h16v6H8z" fill="#15171c"/></svg>',
    );

  /* --- bytes ------------------------------------------------------------------------------------------------- */

  const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const concat = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

  function base58(bytes) {
    let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    let text = "";
    for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
    const first = bytes.findIndex((byte) => byte !== 0);
    return "1".repeat(first < 0 ? bytes.length : first) + text;
  }

  function unbase58(text) {
    let number = [...text].reduce((sum, letter) => sum * 58n + BigInt(ALPHABET.indexOf(letter)), 0n);
    const bytes = new Uint8Array(32);
    for (let at = 31; at >= 0; at -= 1, number >>= 8n) bytes[at] = Number(number & 255n);
    return bytes;
  }

  const le = (bytes) => [...bytes].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

  /** Write a compact-u16: seven bits a byte, the lowest first. */
  function compact(number) {
    const bytes = [];
    for (; number > 127; number >>= 7) bytes.push((number & 127) | 128);
    return [...bytes, number];
  }

  /** Read wire bytes one after the other. */
  function reader(bytes) {
    let at = 0;
    const take = (count) => bytes.slice(at, (at += count));
    const length = () => {
      let number = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        number |= (byte & 127) << shift;
        if (byte < 128) return number;
      }
    };
    return { take, length, list: (read) => Array.from({ length: length() }, read), rest: () => bytes.slice(at) };
  }

  /* --- messages ---------------------------------------------------------------------------------------------- */

  function readWire(wire) {
    const from = reader(wire);
    const signatures = from.list(() => from.take(64));
    return { signatures, message: from.rest() };
  }

  function readMessage(bytes) {
    const isVersioned = bytes[0] >= 128;
    const from = reader(isVersioned ? bytes.slice(1) : bytes);
    const header = [...from.take(3)];
    const keys = from.list(() => from.take(32));
    const blockhash = from.take(32);
    const instructions = from.list(() => ({
      program: from.take(1)[0],
      accounts: [...from.take(from.length())],
      data: from.take(from.length()),
    }));
    return { isVersioned, header, keys, blockhash, instructions, tail: from.rest() };
  }

  function writeMessage({ isVersioned, header, keys, blockhash, instructions, tail }) {
    const calls = instructions.map(({ program, accounts, data }) =>
      concat([program], compact(accounts.length), accounts, compact(data.length), data),
    );
    const start = isVersioned ? [128] : [];
    return concat(start, header, compact(keys.length), ...keys, blockhash, compact(calls.length), ...calls, tail);
  }

  /** Do what Phantom does on mainnet: put instructions of our own before and after the payment. */
  function withGuards(bytes) {
    const message = readMessage(bytes);
    if (message.isVersioned && message.tail[0] > 0) throw failure(-32603, "guards and lookup tables do not mix here");
    let program = message.keys.findIndex((key) => base58(key) === MEMO);
    if (program < 0) {
      program = message.keys.push(unbase58(MEMO)) - 1; // at the end stand the read-only, unsigned accounts
      message.header[2] += 1;
    }
    const guard = (text) => ({ program, accounts: [], data: new TextEncoder().encode(text) });
    message.instructions = [guard("guard before"), ...message.instructions, guard("guard after")];
    return writeMessage(message);
  }

  /** Say in words what a message would move, as far as this wallet understands it. */
  async function describe(bytes) {
    const { keys, instructions } = readMessage(bytes);
    const name = (index) => (keys[index] ? base58(keys[index]) : "an account in a lookup table");
    const effects = instructions.map(async ({ program, accounts, data }) => {
      if (name(program) === SYSTEM && data[0] === 2) {
        return `Send ${units(le(data.slice(4, 12)), 9)} SOL to ${short(name(accounts[1]))}`;
      }
      if (TOKENS.includes(name(program)) && data[0] === 12) {
        const [code] = MINTS.find(([, mint]) => mint === name(accounts[1])) ?? ["tokens"];
        return `Send ${units(le(data.slice(1, 9)), data[9])} ${code} to ${short(await ownerOf(name(accounts[2])))}`;
      }
      return null;
    });
    return (await Promise.all(effects)).filter(Boolean);
  }

  /** Whose a token account is, as far as the chain knows it: people compare wallets, and pages show them. */
  async function ownerOf(account) {
    const found = await call("getAccountInfo", [account, { encoding: "jsonParsed" }]).catch(() => null);
    return found?.value?.data.parsed?.info.owner ?? account;
  }

  function units(atomic, exponent) {
    const digits = String(atomic).padStart(exponent + 1, "0");
    return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`.replace(/\.?0+$/, "");
  }

  const short = (address) => (address.length > 20 ? `${address.slice(0, 4)}…${address.slice(-4)}` : address);

  /* --- key and chain ----------------------------------------------------------------------------------------- */

  const failure = (code, message) => Object.assign(new Error(message), { code });
  let keyPromise = null;

  function key() {
    keyPromise ??= loadKey();
    return keyPromise;
  }

  async function loadKey() {
    const stored = JSON.parse(localStorage.getItem(STORE) ?? "null");
    if (stored) return keyOf(stored);
    const made = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const jwk = await crypto.subtle.exportKey("jwk", made.privateKey);
    localStorage.setItem(STORE, JSON.stringify(jwk));
    return keyOf(jwk);
  }

  async function keyOf(jwk) {
    const padded = jwk.x.replaceAll("-", "+").replaceAll("_", "/");
    const publicKey = Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
    const secret = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
    return { secret, publicKey, address: base58(publicKey) };
  }

  async function call(method, params) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    let answer;
    try {
      answer = await (await fetch(rpc, { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
    } catch {
      throw failure(4900, "the dev chain does not answer");
    }
    if (answer.error) throw failure(-32003, answer.error.message);
    return answer.result;
  }

  async function balances() {
    const { address } = await key();
    const lamports = (await call("getBalance", [address, { commitment: "confirmed" }])).value;
    const shown = [`${units(BigInt(lamports), 9)} SOL`];
    for (const [code, mint] of MINTS) {
      const options = { encoding: "jsonParsed", commitment: "confirmed" };
      const found = (await call("getTokenAccountsByOwner", [address, { mint }, options])).value;
      shown.push(`${found[0]?.account.data.parsed.info.tokenAmount.uiAmountString ?? "0"} ${code}`);
    }
    return shown.join(" · ");
  }

  async function fill() {
    const { address } = await key();
    const signatures = [await call("requestAirdrop", [address, Number(10n * LAMPORTS)])];
    for (const [, mint] of MINTS) {
      const given = await call("dev_airdrop_token", [{ mint, owner: address, amount: 1_000_000_000 }]);
      signatures.push(given.signature);
    }
    await confirmed(signatures);
  }

  /** Wait until the chain has confirmed, or give up after WAIT_MS: it may stand still on a developer's wish. */
  async function confirmed(signatures) {
    for (const start = Date.now(); Date.now() - start < WAIT_MS; ) {
      const { value } = await call("getSignatureStatuses", [signatures]);
      if (value.every((one) => one && one.confirmationStatus !== "processed")) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /* --- signing ----------------------------------------------------------------------------------------------- */

  async function sign(wire) {
    const { signatures, message } = readWire(wire);
    const hasGuards = await approve(await describe(message));
    const signed = hasGuards ? withGuards(message) : message;
    const { secret, address } = await key();
    const slot = readMessage(signed).keys.findIndex((one) => base58(one) === address);
    if (slot < 0 || slot >= signatures.length) throw failure(-32603, "this wallet is no signer of that message");
    signatures[slot] = new Uint8Array(await crypto.subtle.sign("Ed25519", secret, signed));
    return { wire: concat(compact(signatures.length), ...signatures, signed), signature: signatures[0] };
  }

  async function signAll(inputs) {
    const outputs = [];
    for (const { transaction } of inputs) outputs.push({ signedTransaction: (await sign(transaction)).wire });
    return outputs;
  }

  async function sendAll(inputs) {
    const outputs = [];
    for (const { transaction } of inputs) {
      const { wire, signature } = await sign(transaction);
      await call("sendTransaction", [toBase64(wire), { encoding: "base64" }]);
      outputs.push({ signature });
    }
    return outputs;
  }

  /* --- approval ---------------------------------------------------------------------------------------------- */

  const STYLE = `
    dialog { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #15171c; background: #fff; border: 0; border-radius: 18px;
      padding: 0; width: min(24rem, calc(100vw - 2rem)); box-shadow: 0 24px 60px rgb(0 0 0 / 35%); }
    dialog::backdrop { background: rgb(10 12 16 / 55%); }
    header { padding: .75rem 1.25rem; font-weight: 700; border-bottom: 2px solid #15171c;
      background: repeating-linear-gradient(135deg, #ffe27a 0 14px, #ffd84d 14px 28px); }
    div { padding: 1.25rem; display: grid; gap: .75rem; }
    p, h2, ul { margin: 0; } h2 { font-size: 1.25rem; line-height: 1.3; } ul { padding-inline-start: 1.25rem; }
    code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; } small { color: #555b66; }
    button { font: inherit; font-weight: 650; min-height: 48px; border-radius: 12px; border: 1px solid #858a93;
      background: #fff; color: #15171c; cursor: pointer; } button.approve { background: #15171c; color: #fff; }
    button:focus-visible { outline: 3px solid #1d4b9e; outline-offset: 2px; }
    label { display: flex; gap: .625rem; align-items: center; min-height: 44px; } input { width: 20px; height: 20px; }`;

  function element(tag, text, parts = {}) {
    const made = Object.assign(document.createElement(tag), parts);
    if (text) made.textContent = text;
    return made;
  }

  /** Ask the person; resolves to whether guards are wanted, rejects with 4001 as Phantom does. */
  async function approve(effects) {
    const { address } = await key();
    const host = element("div", "", { lang: "en", dir: "ltr" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    const dialog = element("dialog");
    dialog.setAttribute("aria-labelledby", "title");
    const guards = element("input", "", { type: "checkbox", id: "guards" });
    const label = element("label");
    label.append(guards, "Add guard instructions, as Phantom does");
    const balance = element("small", "Looking up the balance…");
    const buttons = {
      approve: element("button", "Approve", { className: "approve", autofocus: true }),
      reject: element("button", "Reject"),
      faucet: element("button", "Get test money from the faucet"),
    };
    const list = element("ul");
    list.append(...(effects.length ? effects : ["This wallet cannot read what it does"]).map((text) => element("li", text)));
    const from = element("small", "From ");
    from.append(element("code", short(address)));
    const body = element("div");
    body.append(element("h2", "Approve this payment?", { id: "title" }), list, from, balance, label, ...Object.values(buttons));
    dialog.append(element("header", "TEST WALLET · no real money"), body);
    shadow.append(dialog);
    document.body.append(host);
    const look = () => balances().then((text) => (balance.textContent = `Balance ${text}`), (error) => (balance.textContent = error.message));
    look();
    return new Promise((resolve, reject) => {
      const close = (settle) => () => {
        dialog.close(); // gives the focus back to the page's button; removing alone would lose it
        host.remove();
        settle();
      };
      buttons.approve.onclick = close(() => resolve(guards.checked));
      buttons.reject.onclick = close(() => reject(failure(4001, "User rejected the request.")));
      dialog.oncancel = close(() => reject(failure(4001, "User rejected the request.")));
      buttons.faucet.onclick = () => fill().then(look, (error) => (balance.textContent = error.message));
      dialog.showModal();
    });
  }

  /* --- wallet standard --------------------------------------------------------------------------------------- */

  let accounts = [];
  const features = {
    "standard:connect": { version: "1.0.0", connect },
    "standard:disconnect": { version: "1.0.0", disconnect: async () => void (accounts = []) },
    "standard:events": { version: "1.0.0", on: () => () => {} },
    "solana:signTransaction": { version: "1.0.0", supportedTransactionVersions: ["legacy", 0], signTransaction: (...all) => signAll(all) },
    "solana:signAndSendTransaction": { version: "1.0.0", supportedTransactionVersions: ["legacy", 0], signAndSendTransaction: (...all) => sendAll(all) },
  };

  async function connect() {
    const { address, publicKey } = await key();
    const usable = ["solana:signTransaction", "solana:signAndSendTransaction"];
    accounts = [{ address, publicKey, chains: [CHAIN], features: usable }];
    if ((await call("getBalance", [address, { commitment: "confirmed" }])).value === 0) await fill();
    return { accounts };
  }

  const wallet = {
    version: "1.0.0",
    name: "Test wallet",
    icon: ICON,
    chains: [CHAIN],
    features,
    get accounts() {
      return accounts;
    },
  };
  const announce = ({ register }) => register(wallet);
  dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: announce }));
  addEventListener("wallet-standard:app-ready", ({ detail }) => announce(detail));
})();
