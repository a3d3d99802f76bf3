//! The way to a homeserver: straight, whatever the environment says of proxies, and to no other
//! address than the one that was given.

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// A client without proxies and redirects, by the bot's name. How long it waits is for whoever asks.
pub fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("synod/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
}
