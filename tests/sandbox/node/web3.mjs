// web3.js 1.98 and spl-token: create a mint, mint, transfer, confirm over WebSocket, read parsed.
import { PublicKey, Keypair, SystemProgram, Transaction, sendAndConfirmTransaction } from "@solana/web3.js";
import {
  TOKEN_PROGRAM_ID,
  createMint,
  createTransferCheckedInstruction,
  getAccount,
  getOrCreateAssociatedTokenAccount,
  mintTo,
} from "@solana/spl-token";
import { connection, finish, fundedKeypair } from "./connection.mjs";

const payer = await fundedKeypair();
const shop = Keypair.generate().publicKey;
const seen = new Set();
connection.onSlotChange(() => seen.add("slot"));

const mint = await createMint(connection, payer, payer.publicKey, null, 6);
const mine = await getOrCreateAssociatedTokenAccount(connection, payer, mint, payer.publicKey);
const theirs = await getOrCreateAssociatedTokenAccount(connection, payer, mint, shop);
connection.onAccountChange(theirs.address, () => seen.add("account"));
connection.onLogs(theirs.address, () => seen.add("logs"));
await mintTo(connection, payer, mint, mine.address, payer, 1_000_000);

const transfer = createTransferCheckedInstruction(mine.address, mint, theirs.address, payer.publicKey, 250_000, 6);
const signature = await sendAndConfirmTransaction(connection, new Transaction().add(transfer), [payer]);
const parsed = (await connection.getParsedTransaction(signature)).transaction.message.instructions[0];

let refused = false;
try {
  const broke = SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: shop, lamports: 99e9 });
  await sendAndConfirmTransaction(connection, new Transaction().add(broke), [payer]);
} catch (error) {
  refused = error.message.includes("custom program error: 0x1") && error.logs.length > 0;
}

const held = await connection.getParsedTokenAccountsByOwner(payer.publicKey, { programId: new PublicKey(TOKEN_PROGRAM_ID) });
for (let waited = 0; seen.size < 3 && waited < 5000; waited += 20) await new Promise((done) => setTimeout(done, 20));
finish({
  balance: (await getAccount(connection, mine.address)).amount.toString(),
  parsed: [parsed.program, parsed.parsed.type, parsed.parsed.info.tokenAmount.amount],
  held: held.value.map(({ account }) => account.data.parsed.info.tokenAmount.amount),
  refused,
  subscribed: [...seen].sort(),
});
