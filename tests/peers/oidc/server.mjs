// oidc-provider as the authorization server of a record, on a free port of this machine; prints the port.
// Reads from PEER_KEYS the public key set of one client, "prescreen-service". A peer for tests only.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.env.PEER_HOME, 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const keys = JSON.parse(readFileSync(process.env.PEER_KEYS, 'utf8'));

const http = createServer();
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
const base = `http://127.0.0.1:${http.address().port}`;

const client = (id, algorithm) => ({
  client_id: id,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: algorithm,
  scope: 'system/Patient.rs system/Task.cruds',
  jwks: keys,
});

const provider = new Provider(base, {
  clients: [client('service-RS384', 'RS384'), client('service-ES384', 'ES384')],
  scopes: ['system/Patient.rs', 'system/Task.cruds'],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  ttl: { ClientCredentials: 600 },
});

const answer = provider.callback();
http.on('request', (request, response) => {
  if (request.url === '/.well-known/smart-configuration') {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ issuer: base, token_endpoint: `${base}/token`, jwks_uri: `${base}/jwks` }));
  } else {
    answer(request, response);
  }
});
console.log(http.address().port);
