//! What the pipeline uses of the world around it, as traits and the values that they speak in.

pub(super) mod config_source;
pub(super) mod console;
pub(super) mod room;
pub(super) mod structured;
