//! The Admin API of Synapse, as far as the way of asking goes: who may send what, and how.
//!
//! A [`Reader`] can only `GET`, but for [`Reader::registration`], which changes nothing. A [`Writer`]
//! sends what its [`Permit`](crate::gate::Permit) names and nothing else. What a request means is the business of the verb that makes it; only what
//! nearly every verb looks at, the [`Account`] and its [`Device`]s, is read here.
//!
//! Proxy variables of the environment are ignored, redirects are not followed, every path part is
//! encoded, and answers are limited in time and size. The token goes into one header and nowhere
//! else: neither it nor a body is ever logged.
//!
//! To send a step takes the permit. This compiles:
//!
//! ```
//! use synod::{change::Step, gate::Permit, synapse::{Secrets, Writer}};
//! async fn change(writer: &Writer, permit: &mut Permit, step: &Step, secrets: &mut Secrets) {
//!     let _ = writer.send(permit, step, secrets).await;
//! }
//! ```
//!
//! The same without a permit does not:
//!
//! ```compile_fail,E0061
//! use synod::{change::Step, gate::Permit, synapse::{Secrets, Writer}};
//! async fn change(writer: &Writer, permit: &mut Permit, step: &Step, secrets: &mut Secrets) {
//!     let _ = writer.send(step, secrets).await;
//! }
//! ```
//!
//! Nor does a permit that was copied:
//!
//! ```compile_fail,E0599
//! use synod::{change::Step, gate::Permit, synapse::{Secrets, Writer}};
//! async fn change(writer: &Writer, permit: &mut Permit, step: &Step, secrets: &mut Secrets) {
//!     let _ = writer.send(&mut permit.clone(), step, secrets).await;
//! }
//! ```

mod access;
mod account;
mod accounts;
mod address;
mod http;
mod media;
mod outage;
mod reader;
mod registration;
mod secrets;
mod specified;
mod surface;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
mod which;
pub mod wire;
mod writer;

pub use crate::error::api::Error;
pub use access::Access;
pub use account::{Account, Device, ExternalId, Private, ThreePid, Told};
pub use accounts::{AccountsAccess, Keeper, Kept, Listed, Session, SessionKind};
pub use media::files_of_nobody;
pub use reader::{Reader, Scope, holding};
pub use registration::Registration;
pub use secrets::Secrets;
pub use surface::{Moderation, Surface};
pub use throttle::Throttle;
pub use token::TokenState;
pub use which::Version;
pub use writer::{SendError, Writer};
