//! Tests of Synod from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself ends there")]

mod config;
