// A link as a foreign merchant prints it, for our wallet to pay.
import { Keypair, PublicKey } from "@solana/web3.js";
import { encodeURL } from "@solana/pay";
import BigNumber from "bignumber.js";
import { connection, finish } from "./connection.mjs";

const { result } = await connection._rpcRequest("dev_info", []);
const references = [Keypair.generate().publicKey, Keypair.generate().publicKey];
const url = encodeURL({
  recipient: Keypair.generate().publicKey,
  amount: new BigNumber("12.345678"),
  splToken: new PublicKey(result.usdc_mint),
  reference: references,
  label: "Müller & Söhne",
  memo: "Bestellung #7 & mehr",
});
finish({ url: url.toString(), references: references.map(String) });
