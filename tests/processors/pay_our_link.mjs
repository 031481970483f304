// A foreign wallet: it reads our link with @solana/pay, builds the transfer its own way, signs and sends it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const foreign = createRequire(pathToFileURL(`${process.env.PACKAGES}/`));
const { Connection, Keypair } = foreign("@solana/web3.js");
const { createTransfer, parseURL } = foreign("@solana/pay");

const connection = new Connection(process.env.RPC_URL, "confirmed");
const payer = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(process.env.PAYER)));
const request = parseURL(process.env.LINK);
const transfer = await createTransfer(connection, payer.publicKey, request);
transfer.feePayer = payer.publicKey;
transfer.recentBlockhash = (await connection.getLatestBlockhash()).blockhash;
transfer.sign(payer);
const signature = await connection.sendRawTransaction(transfer.serialize());
console.log(JSON.stringify({ signature, label: request.label, message: request.message, memo: request.memo }));
process.exit(0);
