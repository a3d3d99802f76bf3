//! Which homeserver it is: where it answers, and what answers there.

use reqwest::redirect::Policy;
use ruma::ServerName;
use serde_json::Value;
use url::Url;

use crate::{
    check::http::{Api, Trouble, client},
    config::{is_loopback, is_private},
    finding::Finding,
};

/// A homeserver that answers, asked without a token.
#[derive(Debug, Clone)]
pub(super) struct Homeserver {
    /// The address of its client API.
    pub(super) url: Url,
    /// That of its Admin API, where it is another.
    pub(super) admin_url: Option<Url>,
    /// Its client API.
    pub(super) client: Api,
    /// Its Admin API.
    pub(super) admin: Api,
    /// Whether an authentication service keeps its accounts.
    pub(super) is_delegated: bool,
}

/// What was said of where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Its name, or its address.
    pub(super) homeserver: &'a str,
    /// Where its Admin API answers, if that is elsewhere.
    pub(super) admin_url: Option<&'a str>,
    /// Whether it may be asked over plain http on a private network.
    pub(super) allow_plain_http: bool,
}

/// Looks where it answers and what it is. Asks `/_matrix/client/versions` and, without a token,
/// `/_synapse/admin/v1/server_version`; and the web server of a name where the name is all that was
/// said.
pub(super) async fn find(said: Said<'_>) -> Result<(Homeserver, Finding), Finding> {
    let url = client_address(said).await?;
    let client_api = api(&url)?;
    let admin_url = said.admin_url.map(|text| address(text, said.allow_plain_http)).transpose()?;
    let admin_url = admin_url.filter(|admin_url| *admin_url != url);
    let admin = admin_url.as_ref().map_or(Ok(client_api.clone()), api)?;
    let version = synapse(&client_api, &admin).await?;
    let metadata = client_api.get(&["_matrix", "client", "v1", "auth_metadata"], &[]).await;
    let is_delegated = metadata.is_ok_and(|metadata| metadata["issuer"].is_string());
    let mut places = client_api.address();
    if admin_url.is_some() {
        places = format!("{places}, and its Admin API at {}", admin.address());
    }
    let kept = if is_delegated { "; an authentication service manages its accounts" } else { "" };
    let finding = Finding::ok(format!("homeserver: Synapse {version} answers at {places}{kept}"));
    Ok((Homeserver { url, admin_url, client: client_api, admin, is_delegated }, finding))
}

fn api(url: &Url) -> Result<Api, Finding> {
    let client = client().build().map_err(|_| no_client())?;
    Ok(Api::new(client, url))
}

fn no_client() -> Finding {
    Finding::bad("an HTTPS client cannot be set up here", "Check the TLS setup of this system")
}

/// Where the client API answers.
async fn client_address(said: Said<'_>) -> Result<Url, Finding> {
    let text = said.homeserver;
    let is_address = text.contains("://");
    let site = if is_address { address(text, said.allow_plain_http)? } else { site_of(text)? };
    let there = if is_address { speaks_matrix(&api(&site)?).await } else { Err(Trouble::Strange) };
    let Err(trouble) = there else { return Ok(site) };
    let silent = |trouble: &Trouble| {
        Finding::bad(
            format!("homeserver: nothing answers at {}: {trouble}", shown(&site)),
            "Make sure that it runs, and give its address: --homeserver https://matrix.example.org",
        )
    };
    if matches!(trouble, Trouble::Silent(_)) {
        return Err(silent(&trouble));
    }
    // A name's web server says where its homeserver answers, unless that is right there.
    let url = match well_known(&site).await {
        Ok(Some(text)) => address(text.trim_end_matches('/'), said.allow_plain_http)?,
        Ok(None) => site.clone(),
        Err(trouble) => return Err(silent(&trouble)),
    };
    match speaks_matrix(&api(&url)?).await {
        Ok(()) => Ok(url),
        Err(trouble) => Err(Finding::bad(
            format!("homeserver: what answers at {} is not a homeserver: {trouble}", shown(&url)),
            "Give the address of a homeserver: --homeserver https://matrix.example.org",
        )),
    }
}

async fn speaks_matrix(api: &Api) -> Result<(), Trouble> {
    let versions = api.get(&["_matrix", "client", "versions"], &[]).await?;
    if versions["versions"].is_array() { Ok(()) } else { Err(Trouble::Strange) }
}

/// Which Synapse answers at the Admin API.
async fn synapse(client_api: &Api, admin: &Api) -> Result<String, Finding> {
    let answer = admin.get(&["_synapse", "admin", "v1", "server_version"], &[]).await;
    let trouble = match answer.map(|answer| answer["server_version"].as_str().map(str::to_owned)) {
        Ok(Some(version)) => return Ok(version),
        Ok(None) => Trouble::Strange,
        Err(trouble) => trouble,
    };
    if let Some(other) = other_software(client_api).await {
        return Err(Finding::bad(
            format!("homeserver: {other} answers at {}", client_api.address()),
            "Synod needs the Admin API of Synapse, which only Synapse has",
        ));
    }
    Err(Finding::bad(
        format!(
            "homeserver: it answers at {}, but its Admin API is not at {}: {trouble}",
            client_api.address(),
            admin.address()
        ),
        "Give the address where Synapse serves /_synapse/admin, on its own machine often \
        --admin-url http://127.0.0.1:8008; a reverse proxy often leaves it out",
    ))
}

/// What the homeserver calls itself to others, where that is not Synapse.
async fn other_software(client_api: &Api) -> Option<String> {
    let answer = client_api.get(&["_matrix", "federation", "v1", "version"], &[]).await.ok()?;
    let text = |key: &str| answer["server"][key].as_str().map(str::to_owned);
    let name = text("name").filter(|name| name != "Synapse")?;
    Some(format!("{name} {}", text("version").unwrap_or_default()).trim_end().to_owned())
}

/// The address of the client API that a web server names in `/.well-known/matrix/client`; nothing
/// where it has no such page. A name may well lead on to another, so redirects are followed.
async fn well_known(site: &Url) -> Result<Option<String>, Trouble> {
    let client = client().redirect(Policy::limited(5)).build();
    let client = client.map_err(|error| Trouble::Silent(error.without_url().to_string()))?;
    let answer = Api::new(client, site).get(&[".well-known", "matrix", "client"], &[]).await;
    match answer {
        Ok(page) => match &page["m.homeserver"]["base_url"] {
            Value::String(text) => Ok(Some(text.clone())),
            _ => Ok(None),
        },
        Err(trouble @ Trouble::Silent(_)) => Err(trouble),
        Err(_) => Ok(None),
    }
}

/// The web server of a server's name.
fn site_of(name: &str) -> Result<Url, Finding> {
    let wrong = || {
        Finding::bad(
            "homeserver: this is neither a server name nor an address",
            "Give a name such as example.org, or an address such as https://matrix.example.org",
        )
    };
    let name = ServerName::parse(name).map_err(|_| wrong())?;
    Url::parse(&format!("https://{}", name.host())).map_err(|_| wrong())
}

/// A base address by the rules of the config: https, or http where nobody else can read along.
pub(super) fn address(text: &str, allow_plain_http: bool) -> Result<Url, Finding> {
    let bad = |what: &str, to_do: &str| Err(Finding::bad(format!("homeserver: {what}"), to_do));
    let Ok(url) = Url::parse(text) else {
        return bad(
            "its address cannot be read",
            "Give an address such as https://matrix.example.org",
        );
    };
    if !url.username().is_empty() || url.password().is_some() {
        return bad(
            "its address contains a name or password",
            "Leave out everything before the @; name the account with --login",
        );
    }
    let may_be_plain = is_loopback(&url) || (allow_plain_http && is_private(&url));
    match url.scheme() {
        "https" => {}
        "http" if may_be_plain => {}
        "http" if is_private(&url) => {
            return bad(
                "plain http would send the tokens unencrypted over the network",
                "Give https://, or add --allow-plain-http if nobody else is on that network",
            );
        }
        "http" => {
            return bad(
                "plain http would send the tokens unencrypted over the network",
                "Give https://; http:// is for localhost and private networks",
            );
        }
        _ => {
            return bad(
                "its address is neither https nor http",
                "Give an address such as https://matrix.example.org",
            );
        }
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return bad(
            "there is something after the host and port of its address",
            "Remove that; synod adds the path itself",
        );
    }
    Ok(url)
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{any, path},
    };

    use super::*;

    async fn serves(server: &MockServer, at: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(path(at)).respond_with(answer).mount(server).await;
    }

    async fn find_at(address: &str) -> Result<(Homeserver, Finding), Finding> {
        find(Said { homeserver: address, admin_url: None, allow_plain_http: false }).await
    }

    async fn synapse_at(server: &MockServer) {
        serves(server, "/_matrix/client/versions", 200, json!({ "versions": ["v1.11"] })).await;
        let version = json!({ "server_version": "1.163.2" });
        serves(server, "/_synapse/admin/v1/server_version", 200, version).await;
    }

    #[tokio::test]
    async fn the_web_server_of_a_name_leads_to_the_homeserver() {
        let (site, moved, home) =
            (MockServer::start().await, MockServer::start().await, MockServer::start().await);
        synapse_at(&home).await;
        // Over a redirect, and with the slash that many write.
        let base = format!("{}/", home.uri());
        let page = json!({ "m.homeserver": { "base_url": base } });
        serves(&moved, "/.well-known/matrix/client", 200, page).await;
        let there = format!("{}/.well-known/matrix/client", moved.uri());
        let onward = ResponseTemplate::new(301).insert_header("location", there.as_str());
        Mock::given(path("/.well-known/matrix/client")).respond_with(onward).mount(&site).await;
        let (found, told) = find_at(&site.uri()).await.unwrap();
        assert_eq!(shown(&found.url), home.uri());
        assert!(told.what.contains("Synapse 1.163.2 answers at http://127.0.0.1:"), "{told}");
        assert!(!found.is_delegated);
    }

    #[tokio::test]
    async fn a_homeserver_is_told_from_a_web_server_and_synapse_from_others() {
        let web = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(404)).mount(&web).await;
        let told = find_at(&web.uri()).await.unwrap_err();
        assert!(told.what.contains("is not a homeserver: something in front"), "{told}");

        let other = MockServer::start().await;
        let versions = json!({ "versions": ["v1.11"] });
        serves(&other, "/_matrix/client/versions", 200, versions.clone()).await;
        let name = json!({ "server": { "name": "Tuwunel", "version": "1.4" } });
        serves(&other, "/_matrix/federation/v1/version", 200, name).await;
        let told = find_at(&other.uri()).await.unwrap_err();
        assert!(told.what.contains("Tuwunel 1.4 answers at"), "{told}");

        let hidden = MockServer::start().await;
        serves(&hidden, "/_matrix/client/versions", 200, versions).await;
        let told = find_at(&hidden.uri()).await.unwrap_err();
        assert!(told.what.contains("its Admin API is not at"), "{told}");
        assert!(told.to_do.unwrap().contains("--admin-url http://127.0.0.1:8008"));
    }

    #[test]
    fn an_address_that_would_show_a_token_is_refused() {
        for (text, plain, fits) in [
            ("https://matrix.example.org", false, true),
            ("http://127.0.0.1:8008", false, true),
            ("http://synapse:8008", true, true),
            ("http://synapse:8008", false, false),
            ("http://matrix.example.org", true, false),
            ("ftp://matrix.example.org", false, false),
            ("https://ann:hunter2@matrix.example.org", false, false),
            ("https://matrix.example.org/_matrix", false, false),
            ("https://", false, false),
        ] {
            let told = address(text, plain);
            assert_eq!(told.is_ok(), fits, "{text}");
            assert!(told.is_ok() || !told.unwrap_err().to_string().contains("hunter2"));
        }
        assert_eq!(shown(&site_of("example.org:8448").unwrap()), "https://example.org");
        assert!(site_of("@ann:example.org").is_err());
    }
}
