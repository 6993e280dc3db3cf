// An OpenID Connect provider that is certified, with one client and the people that the test names:
// node provider.js PORT REDIRECT_URI PEOPLE, where PEOPLE is JSON: {login: {preferred_username, groups}}.
import { Provider } from "oidc-provider";

const [port, redirectUri, people] = process.argv.slice(2);
const claimsOf = JSON.parse(people);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "flownexus",
      client_secret: "a-word-of-the-tests-at-the-provider",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...claimsOf[id] }) }),
  cookies: { keys: ["tests"] },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
