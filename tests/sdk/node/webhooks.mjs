// Signs and verifies with the reference library: one JSON line of requests in, one of answers out.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const answers = JSON.parse(readFileSync(0, "utf8")).map(({ secret, id, timestamp, body, headers }) => {
  const webhook = new Webhook(secret);
  if (headers === null) return webhook.sign(id, new Date(timestamp * 1000), body);
  try {
    return webhook.verify(body, headers);
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(answers));
