// The connection that every script uses, exactly as an application would open it.
import { Connection, Keypair, LAMPORTS_PER_SOL } from "@solana/web3.js";

export const connection = new Connection(process.env.RPC_URL, {
  commitment: "confirmed",
  wsEndpoint: process.env.WS_URL,
});

export async function fundedKeypair() {
  const keypair = Keypair.generate();
  const signature = await connection.requestAirdrop(keypair.publicKey, 10 * LAMPORTS_PER_SOL);
  const latest = await connection.getLatestBlockhash();
  await connection.confirmTransaction({ signature, ...latest }, "finalized");
  return keypair;
}

// web3.js keeps its WebSocket open for ever; a script must end by itself.
export function finish(result) {
  console.log(JSON.stringify(result));
  process.exit(0);
}
