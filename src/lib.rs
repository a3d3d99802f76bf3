//! Synod: a Matrix bot through which the people who run a Synapse homeserver run it.

pub mod change;
pub mod check;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error;
pub mod gate;
pub mod pipeline;
pub mod reply;
pub mod synapse;
