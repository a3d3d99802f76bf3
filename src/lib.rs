//! Synod: a Matrix bot through which the people who run a Synapse homeserver run it.
//!
//! They type `!user deactivate @x:y --gdpr-erase` in their admin room and get an answer that they
//! can read on a phone; the room's history is the record of who did what.
//!
//! # The way of one message
//!
//! 1. [`matrix`] syncs, decrypts, and decides from where an event came: the sender's own device,
//!    signed by the key that is pinned for them, or [a reason for doubt](pipeline::Doubt). What may
//!    matter becomes a [`Request`](pipeline::Request) and goes into the queue; nothing is done yet.
//! 2. [`pipeline`] takes it out. [`journal`] knows whether it has been dealt with. [`input`] makes
//!    words of it: a phone's dashes and quotes, pills, quoting. clap, built once from
//!    [`commands::GROUPS`], makes a command of the words.
//! 3. [`gate`] says whether this operator may do this at all. A [`Query`](commands::Query) looks
//!    and answers; that is the end of it. An [`Action`](commands::Action) looks at its subjects and
//!    computes a [`Change`](change::Change): the exact requests, and the state they should lead to.
//! 4. [`gate`] weighs it: refused, to be asked first, or let through with a
//!    [`Permit`](gate::Permit) for just these requests. A question is a ticket in [`confirm`]; the
//!    yes of its asker, or of the others whom the config demands, comes back on the same way, and
//!    everything from step 3 is done again: who may approve is asked anew. Where a fact that binds
//!    has changed, the question is put again.
//! 5. [`audit`] records the intent, on disk, before anything is sent. The
//!    [`Writer`](synapse::Writer) sends what the permit names. The verb looks again, and what was
//!    found decides the words of the answer. [`audit`] records the outcome.
//! 6. The [`Reply`](reply::Reply) is drawn as plain text and HTML and sent through the
//!    [`Outbox`](pipeline::Outbox).
//!
//! A command can also be typed in a [`shell`] of the machine. It goes the way from step 3 on, as the
//! operator to whom the config maps that account; its answer is shown there, and the room is told
//! what was changed.
//!
//! A change of many subjects is a job in [`jobs`]: one yes to a list, and then steps 3 to 5 for each
//! that stands in it, whatever happens to the process in between.
//!
//! What the homeserver goes on with after it has answered is kept in [`watches`]: it is asked how far
//! it is, one message shows that, and whoever asked is notified when it is over.
//!
//! A change that was given an end is kept in [`sanctions`]; when that is due, its undo goes through
//! steps 3 to 6 by itself, as if the one who imposed it had typed it.
//!
//! What a crash cuts off between the two records of step 5 is reported at the next start as
//! *Unknown*, with what the homeserver shows then, and is never repeated by itself. What was cut off
//! after the second of them is told as it stands on record.
//!
//! Another configuration is a new beginning inside the process: [`run`] builds everything that rests
//! on it anew, over the same store and the same session on Matrix, so that a message goes its whole
//! way under one configuration. Where the store is lost, the record is read back from where else it
//! stands, and what follows from it goes on.
//!
//! Dependencies point one way: [`matrix`] → [`pipeline`] → [`input`], [`gate`], [`confirm`],
//! [`audit`], [`commands`] → [`synapse`], [`reply`]; a test holds every folder to it. Only [`matrix`] names matrix-sdk, only
//! [`store`] names sled, and nothing in [`commands`] can send anything but a `GET`.
//!
//! # Adding a verb
//!
//! One file in the folder of its group, with its arguments (their doc comments are its help), its
//! `Query` or `Action`, its `SPEC` and its tests; a `mod` line and an entry in the group's slice.
//! Help, questions, the record, undo and the checks that hold for all verbs follow from that.

// The list is in clippy.toml.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod audit;
pub mod backup;
pub mod cases;
pub mod change;
pub mod chart;
pub mod check;
pub mod ciphertexts;
pub mod clock;
pub mod command_aliases;
pub mod commands;
pub mod config;
pub mod confirm;
pub mod error;
pub mod finding;
#[cfg(test)]
mod floors;
pub mod freeze;
pub mod gate;
pub mod http;
pub mod input;
pub mod jobs;
pub mod journal;
pub mod log;
pub mod matrix;
pub mod memory;
pub mod metrics;
pub mod monitoring;
pub mod new_accounts;
pub mod notes;
pub mod observed;
pub mod operators;
pub mod pipeline;
pub mod places;
pub mod policy_lists;
pub mod preferences;
pub mod record_page;
pub mod refs;
pub mod reply;
pub mod run;
pub mod sanctions;
#[cfg(test)]
mod sentences;
pub mod service;
pub mod setup;
pub mod shell;
pub mod store;
pub mod synapse;
pub mod totp;
pub mod unicode;
pub mod unsaid;
pub mod watches;
pub mod wave_alerts;
pub mod wave_exceptions;
