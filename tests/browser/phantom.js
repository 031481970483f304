// Phantom for suites: Wallet Standard and `window.phantom.solana`, absent in frames. Its key and its whims live in the
// test process: `window.phantomAsks(what, payload)` answers `{ value }` or `{ error: { code, message } }`.
(() => {
  if (window.top !== window) return;
  const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const toBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const ask = async (what, payload = "") => {
    const { value, error } = await window.phantomAsks(what, payload);
    if (error) throw Object.assign(new Error(error.message), error);
    return value;
  };
  const chains = ["solana:mainnet", "solana:devnet", "solana:testnet"]; // it has never heard of a local chain
  const account = async () => {
    const [address, key] = (await ask("connect")).split(" ");
    return { address, publicKey: toBytes(key), chains, features: ["solana:signTransaction", "solana:signAndSendTransaction"] };
  };
  const refuseUnknownChain = ({ chain }) => {
    if (chain && !chains.includes(chain)) throw Object.assign(new Error(`unknown chain ${chain}`), { code: -32602 });
  };
  const each = (inputs, act) => Promise.all(inputs.map((input) => (refuseUnknownChain(input), act(toBase64(input.transaction)))));
  const versions = { version: "1.0.0", supportedTransactionVersions: ["legacy", 0] };
  const wallet = {
    version: "1.0.0",
    name: "Phantom",
    icon: "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA4IDgiPjxjaXJjbGUgY3g9IjQiIGN5PSI0IiByPSI0IiBmaWxsPSIjYWI5ZmYyIi8+PC9zdmc+",
    chains,
    accounts: [],
    features: {
      "standard:connect": { version: "1.0.0", connect: async () => ({ accounts: [await account()] }) },
      "standard:events": { version: "1.0.0", on: () => () => {} },
      "solana:signTransaction": {
        ...versions,
        signTransaction: (...inputs) => each(inputs, async (wire) => ({ signedTransaction: toBytes(await ask("sign", wire)) })),
      },
      "solana:signAndSendTransaction": {
        ...versions,
        signAndSendTransaction: (...inputs) => each(inputs, async (wire) => ({ signature: toBytes(await ask("send", wire)) })),
      },
    },
  };
  window.phantom = {
    solana: {
      isPhantom: true,
      connect: async () => ({ publicKey: (await account()).address }),
      request: async () => { throw new Error("the page must prefer Wallet Standard, which takes bytes"); },
    },
  };
  const announce = ({ register }) => register(wallet);
  dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: announce }));
  addEventListener("wallet-standard:app-ready", ({ detail }) => announce(detail));
})();
