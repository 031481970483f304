// Solana Pay 0.2.6: encode and parse a link, create the transfer, find it by its reference, validate it.
import { Keypair, sendAndConfirmTransaction } from "@solana/web3.js";
import { createMint, getOrCreateAssociatedTokenAccount, mintTo } from "@solana/spl-token";
import { createTransfer, encodeURL, findReference, parseURL, validateTransfer } from "@solana/pay";
import BigNumber from "bignumber.js";
import { connection, finish, fundedKeypair } from "./connection.mjs";

const payer = await fundedKeypair();
const shop = await fundedKeypair();
const mint = await createMint(connection, payer, payer.publicKey, null, 6);
const mine = await getOrCreateAssociatedTokenAccount(connection, payer, mint, payer.publicKey);
await getOrCreateAssociatedTokenAccount(connection, payer, mint, shop.publicKey);
await mintTo(connection, payer, mint, mine.address, payer, 50_000_000);

async function pay(splToken) {
  const reference = Keypair.generate().publicKey;
  const recipient = shop.publicKey;
  const fields = { recipient, amount: new BigNumber("1.25"), reference, splToken, label: "Müller & Söhne", memo: "order#1" };
  const request = parseURL(encodeURL(fields));
  const tx = await createTransfer(connection, payer.publicKey, request);
  await sendAndConfirmTransaction(connection, tx, [payer]);
  const found = await findReference(connection, reference, { finality: "confirmed" });
  const expected = { recipient, amount: request.amount, reference, splToken };
  await validateTransfer(connection, found.signature, expected, { commitment: "confirmed" });
  return { found, expected };
}

const { found, expected } = await pay(undefined);
await pay(mint);
let complaint = "";
try {
  const more = { ...expected, amount: new BigNumber("1.26") };
  await validateTransfer(connection, found.signature, more, { commitment: "confirmed" });
} catch (error) {
  complaint = error.message;
}
finish({ sol: "validated", token: "validated", wrong_amount: complaint });
