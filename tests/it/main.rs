//! Tests of Synod from outside: the binary, in encrypted rooms of a real Synapse.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself ends there")]

mod accounts;
mod actors;
mod away;
mod background;
mod basics;
mod brakes;
mod check;
mod config;
mod coverage;
mod crash;
mod doctor;
mod documents;
mod double;
mod events;
mod everything;
mod federation;
mod flood;
mod hostile;
mod interrupted;
mod jobs;
mod jobs_agreed;
mod jobs_cut;
mod jobs_midway;
mod lists_believed;
mod lively;
mod me;
mod media;
mod neighbours;
mod notes;
mod notice;
mod open_matters;
mod order;
mod output;
mod parity;
mod plan;
mod raw;
mod record;
mod regtok;
mod reload;
mod reports;
mod roles;
mod rooms;
mod rooms_entered;
mod rooms_listed;
mod sanctions;
mod second_person;
mod secrets;
mod served;
mod statistics;
mod store;
mod strangers;
mod takedowns;
mod takeover;
mod traps;
mod trust;
mod typed;
mod users;
mod verbs;
mod weather;

/// The binary under test.
const SYNOD: &str = env!("CARGO_BIN_EXE_synod");
