//! Synod: a Matrix bot through which the people who run a Synapse homeserver run it.

pub mod audit;
pub mod change;
pub mod check;
pub mod clock;
pub mod commands;
pub mod config;
pub mod confirm;
pub mod error;
pub mod gate;
pub mod input;
pub mod journal;
pub mod matrix;
pub mod pipeline;
pub mod reply;
pub mod run;
pub mod store;
pub mod synapse;
