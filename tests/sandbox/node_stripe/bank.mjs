// npm's stripe, as a shop written in Node would use it, against the test bank; prints what it saw as one line of JSON.
import Stripe from "stripe";

const address = new URL(process.env.BANK_URL);
const stripe = new Stripe("sk_test_node", {
  host: address.hostname,
  port: address.port,
  protocol: "http",
  maxNetworkRetries: 0,
  telemetry: false,
});

async function refused(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return [error.type, error.code ?? null, error.param ?? null, error.statusCode];
  }
}

async function pay(session, outcome = "pm_card_visa") {
  return stripe.paymentIntents.create({ amount: session, currency: "usd", payment_method: outcome, confirm: true });
}

const seen = {};
const session = await stripe.checkout.sessions.create(
  {
    mode: "payment",
    success_url: "http://shop.test/ok?cs={CHECKOUT_SESSION_ID}",
    client_reference_id: "pay_1",
    line_items: [
      { quantity: 2, price_data: { currency: "usd", unit_amount: 1500, product_data: { name: "T-shirt" } } },
    ],
    payment_intent_data: { metadata: { sp_op: "op_1" } },
  },
  { idempotencyKey: "node-1" },
);
seen.session = [session.status, session.amount_total, session.url.endsWith(`/c/pay/${session.id}`)];
seen.lines = (await stripe.checkout.sessions.listLineItems(session.id)).data.map((line) => line.amount_total);
seen.expired = (await stripe.checkout.sessions.expire(session.id)).status;

const paid = await pay(3000);
const full = await stripe.paymentIntents.retrieve(paid.id, { expand: ["latest_charge.balance_transaction"] });
seen.paid = [full.status, full.latest_charge.status];
seen.declined = await refused(pay(3000, "pm_card_chargeDeclined"));
seen.refund = (await stripe.refunds.create({ payment_intent: paid.id, amount: 1000 })).status;
seen.too_much = await refused(stripe.refunds.create({ payment_intent: paid.id, amount: 9000 }));
seen.unknown = await refused(stripe.refunds.create({ payment_intent: paid.id, amonut: 1 }));
seen.missing = await refused(stripe.charges.retrieve("ch_none"));
seen.reused = await refused(stripe.customers.create({}, { idempotencyKey: "node-1" }));
seen.not_emulated = await refused(stripe.transfers.create({ amount: 1, currency: "usd", destination: "acct_1" }));

const held = await stripe.paymentIntents.create({
  amount: 900,
  currency: "usd",
  capture_method: "manual",
  payment_method: "pm_card_visa",
  confirm: true,
});
seen.captured = (await stripe.paymentIntents.capture(held.id, { amount_to_capture: 400 })).amount_received;

for (let count = 0; count < 5; count += 1) await stripe.customers.create({ email: "node@example.com" });
let pages = 0;
for await (const customer of stripe.customers.list({ email: "node@example.com", limit: 2 })) {
  pages += customer.email === "node@example.com" ? 1 : 0;
}
seen.listed = pages;

const [event] = (await stripe.events.list({ type: "refund.created", limit: 1 })).data;
const payload = JSON.stringify(event);
const header = stripe.webhooks.generateTestHeaderString({ payload, secret: "whsec_node" });
seen.event = stripe.webhooks.constructEvent(payload, header, "whsec_node").type;
console.log(JSON.stringify(seen));
