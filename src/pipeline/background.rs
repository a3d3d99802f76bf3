//! What goes on without a message: jobs, the homeserver's long work, ends of sanctions, what is told of each
//! week, and what is done at a start.

mod digest;
pub(super) mod homeserver_put_back;
pub(super) mod job;
pub(super) mod put_back;
pub(super) mod restore;
pub(super) mod sanction_expiry;
pub(super) mod start;
pub(super) mod token;
pub(super) mod watch;

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
