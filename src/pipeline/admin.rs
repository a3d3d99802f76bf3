//! What operators decide about the bot itself: freezes, another configuration, and what several
//! have to say.

pub(super) mod agree;
pub(super) mod freeze;
pub(super) mod freeze_control;
pub(super) mod reload;
