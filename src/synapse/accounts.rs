//! The other side on which accounts are kept: the Matrix Authentication Service, by its admin API
//! (`/api/admin/v1`).
//!
//! Which side an account is on is told by the servers themselves, see [`Reader::keeper`]: never by
//! the config alone. A look at the service goes through the [`Reader`](super::Reader) and a change
//! through the [`Writer`](super::Writer) as at the homeserver: once, under a permit, the intent on
//! record first. The bot is let in as a client of its own (OAuth 2.0 client credentials), with one
//! token for all that it asks.
//!
//! [`Reader::keeper`]: super::Reader::keeper

mod access;
mod account;
mod client;
mod sessions;
mod token;

pub use access::AccountsAccess;
pub use account::{Keeper, Kept};
pub(super) use client::Service;
pub use sessions::{Listed, Session, SessionKind};
