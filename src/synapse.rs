//! The Admin API of Synapse, as far as the way of asking goes: who may send what, and how.
//!
//! A [`Reader`] can only `GET`. The [`Writer`] sends what its [`Permit`](crate::gate::Permit)
//! names and nothing else. What a request means is the business of the verb that makes it.

/// Why the homeserver's answer cannot be used, in words for the room.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

/// Looks at the homeserver.
#[derive(Debug)]
pub struct Reader;
