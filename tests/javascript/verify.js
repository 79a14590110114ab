// Reads requests from stdin, one JSON object a line, and says of each what `standardwebhooks` and the contract's code say.
const fs = require('fs');
const { Webhook } = require('standardwebhooks');
const { verifyWebhookSignature } = require('./contract.js');

function standard(body, headers, secret) {
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return 'verified';
  } catch (error) {
    return error.message;
  }
}

function answer({ body, headers, secret, librarySecret }) {
  const raw = Buffer.from(body, 'base64');
  return {
    standard: standard(raw, headers, librarySecret),
    contract: verifyWebhookSignature(raw.toString(), headers['X-Webhook-Signature'], secret),
  };
}

const lines = fs.readFileSync(0, 'utf8').split('\n').filter((line) => line !== '');
process.stdout.write(lines.map((line) => JSON.stringify(answer(JSON.parse(line)))).join('\n'));
