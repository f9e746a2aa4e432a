// An identity provider for tests: node-oidc-provider with people who sign in by the header x-login, no page between.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [redirect, afterwards] = process.argv.slice(2);
const people = {
  nina: { name: 'Nina Falk', roles: ['triage-nurse'], groups: ['walk-in'], fhirUser: 'Practitioner/7' },
  uma: { name: 'Uma Berg', roles: ['log-reader'], groups: [] },
  olli: { name: 'Olli Dahl', roles: ['gardener'], groups: [] },
};
const key = (kind, more, alg) => ({
  ...generateKeyPairSync(kind, more).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg,
});
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'prescreen',
      client_secret: 'a secret of the test',
      redirect_uris: [redirect],
      post_logout_redirect_uris: [afterwards],
      id_token_signed_response_alg: 'ES256',
    }],
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
    cookies: { keys: ['of this test alone'] },
    claims: { openid: ['sub', 'roles', 'groups', 'fhirUser', 'acr', 'amr'], profile: ['name'], auth_time: null },
    acrValues: ['gold'],
    conformIdTokenClaims: false,
    findAccount: (_, id) => people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => true },
    ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
  });
  const answer = provider.callback();
  server.on('request', async (req, res) => {
    if (!req.url.startsWith('/interaction/')) return answer(req, res);
    const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
    if (prompt.name === 'login') {
      const login = { accountId: req.headers['x-login'], amr: ['pwd', 'otp'], acr: 'gold', remember: false };
      return provider.interactionFinished(req, res, { login }, { mergeWithLastSubmission: false });
    }
    const grant = (grantId && await provider.Grant.find(grantId))
      || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
    grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
    const consent = { grantId: await grant.save() };
    return provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
  });
  console.log(issuer);
});
