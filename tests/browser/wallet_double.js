// A Wallet Standard wallet for suites: `window.plan` says what each request does; `window.asked` keeps what was asked.
(() => {
  const account = { address: "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk", publicKey: new Uint8Array(32), chains: ["solana:devnet"], features: [] };
  window.asked = [];
  const act = (name, inputs) => {
    window.asked.push({ name, chain: inputs[0]?.chain, bytes: [...(inputs[0]?.transaction ?? [])] });
    const step = (window.plan ?? []).shift() ?? "ok";
    if (step === "ok") return null;
    if (step === "hang") return new Promise(() => {});
    throw Object.assign(new Error(step.message ?? ""), { code: step.code });
  };
  const wallet = {
    version: "1.0.0",
    name: "Double",
    icon: "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=",
    chains: ["solana:mainnet", "solana:devnet"],
    accounts: [],
    features: {
      "standard:connect": { version: "1.0.0", connect: async () => (await act("connect", []), { accounts: [account] }) },
      "solana:signAndSendTransaction": {
        version: "1.0.0",
        supportedTransactionVersions: ["legacy", 0],
        signAndSendTransaction: async (...inputs) => (await act("send", inputs), [{ signature: new Uint8Array(64).fill(7) }]),
      },
      "solana:signTransaction": {
        version: "1.0.0",
        supportedTransactionVersions: ["legacy", 0],
        signTransaction: async (...inputs) => (await act("sign", inputs), [{ signedTransaction: new Uint8Array([1, 2, 3]) }]),
      },
    },
  };
  addEventListener("wallet-standard:app-ready", ({ detail }) => detail.register(wallet));
  window.lateWallet = () => dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: ({ register }) => register({ ...wallet, name: "Late" }) }));
})();
